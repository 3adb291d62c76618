"""Decode a photo for the command line: the frozen twin of ``python -m ui.photo``."""

import sys

from ui.photo import main

sys.exit(main())
