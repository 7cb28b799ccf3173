"""Measures of model salience: frozen dataclasses that return named numbers for one image.

`MEASURES` names them, and what they are made of, for `salix.spec`.
"""

from salix.measures.cose import COSE
from salix.measures.cose_scores import Scores, consistency, cose_scores, fidelity
from salix.measures.curve import Curves
from salix.measures.degradation import PAPER_DEGRADATION, Degradation
from salix.measures.geometry import PAPER_GEOMETRY, Geometry
from salix.measures.human import Agreement
from salix.measures.inside import Inside
from salix.measures.noise import PAPER_NOISE, Noise
from salix.measures.presets import PRESETS
from salix.measures.similarity import Similarity
from salix.measures.stability import Stability, cross_stability, stability

__all__ = [
    "COSE",
    "MEASURES",
    "PAPER_DEGRADATION",
    "PAPER_GEOMETRY",
    "PAPER_NOISE",
    "PRESETS",
    "Agreement",
    "Curves",
    "Degradation",
    "Geometry",
    "Inside",
    "Noise",
    "Scores",
    "Similarity",
    "Stability",
    "consistency",
    "cose_scores",
    "cross_stability",
    "fidelity",
    "stability",
]

MEASURES: dict[str, type] = {
    "Agreement": Agreement,
    "COSE": COSE,
    "Curves": Curves,
    "Degradation": Degradation,
    "Geometry": Geometry,
    "Inside": Inside,
    "Noise": Noise,
    "Similarity": Similarity,
}
