"""Entry point of `python -m salix.cli`, the same as `salix`."""

import sys

from salix.cli import main

sys.exit(main())
