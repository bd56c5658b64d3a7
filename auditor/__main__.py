"""`python -m auditor`: the same as the command `auditor`."""

import sys

from auditor.cli import main

sys.exit(main())
