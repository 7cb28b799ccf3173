"""Measures of model salience: frozen dataclasses that return named numbers for one image.

`MEASURES` names them for `salix.spec`, `ARGUMENTS` the objects that they take as arguments.
"""

from salix.measures.cose import COSE
from salix.measures.curve import Curves
from salix.measures.degradation import PAPER_DEGRADATION, Degradation
from salix.measures.geometry import PAPER_GEOMETRY, Geometry
from salix.measures.noise import PAPER_NOISE, Noise
from salix.measures.presets import PRESETS
from salix.measures.reference_agreement import Agreement
from salix.measures.relevance_mass import RelevanceMass
from salix.metrics.comparison import Similarity

__all__ = [
    "ARGUMENTS",
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
    "Noise",
    "RelevanceMass",
]

MEASURES: dict[str, type] = {
    "Agreement": Agreement,
    "COSE": COSE,
    "Curves": Curves,
    "Degradation": Degradation,
    "Geometry": Geometry,
    "RelevanceMass": RelevanceMass,
    "Noise": Noise,
}

ARGUMENTS: dict[str, type] = {"Similarity": Similarity}
