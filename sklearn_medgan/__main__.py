"""``python -m sklearn_medgan`` is the command `medgan`."""

import sys

from .cli import main

sys.exit(main())
