"""``python -m sdssflow`` is the command ``sdssflow``."""

import sys

from sdssflow.command import main

sys.exit(main())
