"""Named groups of measures: those of the paper, their corrected versions, and those of regions.

Salience entropy is a column of every sweep, and stability across training runs is computed from
the maps that runs store: the other three of the five measures vary their input. The presets have
separate column names, so that one sweep can compute both.
"""

from salix.measures.curves import Curves
from salix.measures.degradation import PAPER_DEGRADATION, Degradation
from salix.measures.geometry import PAPER_GEOMETRY, Geometry
from salix.measures.noise import PAPER_NOISE, Noise
from salix.measures.regions import Regions
from salix.typing import Measure

PRESETS: dict[str, tuple[Measure, ...]] = {
    "paper": (PAPER_NOISE, PAPER_GEOMETRY, PAPER_DEGRADATION),
    "standard": (Noise(), Geometry(), Degradation()),
    "regions": (Regions(), Curves(conditions=("most", "moved"))),
}
"""The released settings, 22 passes of the model an image beside the clean one; Salix's own, 24; and
the columns of `salix compare`, two passes for each segment and 22 for the curves.

Crum et al. (2023), arXiv:2303.11969. Measures that compare with a reference mask, and curves,
which take 44 passes, are requested separately.
"""
