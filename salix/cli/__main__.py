"""`python -m salix.cli` is `salix`."""

import sys

from salix.cli import main

sys.exit(main())
