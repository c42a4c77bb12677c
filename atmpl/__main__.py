"""`python -m atmpl` is `atmpl`."""

import sys

from atmpl.cli import main

sys.exit(main())
