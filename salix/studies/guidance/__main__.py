"""`python -m salix.studies.guidance` runs the study."""

import tyro

from salix.studies.guidance.run import Guidance

tyro.cli(Guidance).run()
