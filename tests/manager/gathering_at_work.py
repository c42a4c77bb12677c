"""`atmpl`, which says each time it lets answers gather; already where one key is in hand."""

import sys
import time

from atmpl.cli import main
from atmpl.manager import gathering


class Telling:
    monotonic = staticmethod(time.monotonic)

    def sleep(self, seconds: float) -> None:
        sys.stderr.write('{"message": "gathering", "level": "test"}\n')


gathering.CROWD = 1
gathering.time = Telling()

if __name__ == "__main__":
    sys.exit(main())
