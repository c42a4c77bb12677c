"""`atmpl` with short backoffs and short intervals between checks of access."""

import sys

from atmpl.cli.main import main
from atmpl.controller import authorization, ownership
from atmpl.kube import reflector

reflector.BACKOFF_SECONDS = (0.05, 0.2)
reflector.NOT_SERVED_RECHECK_SECONDS = 1.0
ownership.RECHECK_SECONDS = 5.0
authorization.CREATION_CHECK_SECONDS = 1.0
authorization.POLICY_RECHECK_SECONDS = 1.0
authorization.ACCESS_RECHECK_SECONDS = 2.0

if __name__ == "__main__":
    sys.exit(main())
