"""``python -m sklearn_medgan.cli`` is the command `medgan`."""

import sys

from . import main

sys.exit(main())
