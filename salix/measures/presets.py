"""Named groups of measures: those of the paper, and their corrected versions.

Salience entropy is a column of every sweep, and stability across training runs is computed from
the maps that runs store: the other three of the five measures vary their input. The two presets
have separate column names, so that one sweep can compute both.
"""

from salix.measures.degradation import PAPER_DEGRADATION, Degradation
from salix.measures.geometry import PAPER_GEOMETRY, Geometry
from salix.measures.noise import PAPER_NOISE, Noise
from salix.typing import Measure

PRESETS: dict[str, tuple[Measure, ...]] = {
    "paper": (PAPER_NOISE, PAPER_GEOMETRY, PAPER_DEGRADATION),
    "standard": (Noise(), Geometry(), Degradation()),
}
"""The released settings, 22 passes of the model an image beside the clean one; and Salix's own, 24.

Crum et al. (2023), arXiv:2303.11969. Measures that compare with a reference mask, and curves,
which take 44 passes, are requested separately.
"""
