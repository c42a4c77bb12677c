"""`atmpl` with a clock that is 10 minutes ahead, where it reads the time of day: log lines and the server's clock.

libfaketime cannot be used: with it, `time.sleep` fails with EINVAL (version 0.9.10, Python 3.11).
"""

import sys
import time
from datetime import datetime, tzinfo

from atmpl.cli.main import main
from atmpl.kube import client

AHEAD_SECONDS = 600.0
_time = time.time


class _Ahead(datetime):
    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "_Ahead":
        return cls.fromtimestamp(_time() + AHEAD_SECONDS, tz)


if __name__ == "__main__":
    time.time = lambda: _time() + AHEAD_SECONDS
    client.datetime = _Ahead  # type: ignore[attr-defined]
    sys.exit(main())
