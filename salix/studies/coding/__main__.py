"""`python -m salix.studies.coding` runs the study."""

import tyro

from salix.studies.coding.run import CodingStudy

tyro.cli(CodingStudy).run()
