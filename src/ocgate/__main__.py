"""`python -m ocgate` is `ocgate`."""

import sys

from ocgate.cli import main

sys.exit(main())
