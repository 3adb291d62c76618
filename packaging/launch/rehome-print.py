"""Turn a report's HTML into a PDF: the frozen twin of ``python -m ui.printing``."""

import sys

from ui.printing import main

sys.exit(main())
