"""`atmpl`, which says each time that it thinks of letting answers gather; already where one key is in hand."""

import sys
import time

from atmpl.cli import main
from atmpl.manager import gathering


class Telling:
    """The module `time`, as far as it is used there: asked for the time where a crowd is in hand, and only there."""

    sleep = staticmethod(time.sleep)

    @staticmethod
    def monotonic() -> float:
        sys.stderr.write('{"message": "gathering", "level": "test"}\n')
        return time.monotonic()


gathering.CROWD = 1
gathering.time = Telling()

if __name__ == "__main__":
    sys.exit(main())
