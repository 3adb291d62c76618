"""Start the headless program."""

import sys

from app.__main__ import main

sys.exit(main())
