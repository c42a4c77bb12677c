"""`atmpl` with short backoffs."""

import sys

from atmpl.cli.main import main
from atmpl.controller import ownership
from atmpl.kube import reflector

reflector.BACKOFF_SECONDS = (0.05, 0.2)
reflector.NOT_SERVED_RECHECK_SECONDS = 1.0
ownership.RECHECK_SECONDS = 5.0

if __name__ == "__main__":
    sys.exit(main())
