"""Measures of model salience: frozen dataclasses that return named values of one image.

`MEASURES` names them for `salix.spec`, `ARGUMENTS` the objects and functions that they take as
arguments.
"""

from typing import Any

from salix.measures.agreement import Agreement
from salix.measures.cose import COSE
from salix.measures.curves import Curves
from salix.measures.degradation import PAPER_DEGRADATION, Degradation
from salix.measures.evaluation import Evaluation
from salix.measures.geometry import PAPER_GEOMETRY, Geometry
from salix.measures.noise import PAPER_NOISE, Noise
from salix.measures.of import Of
from salix.measures.presets import PRESETS
from salix.measures.real_regions import RealRegions
from salix.measures.region_attack import PAPER_REGION_ATTACK, RegionAttack
from salix.measures.regions import Regions
from salix.measures.relevance_mass import RelevanceMass
from salix.metrics import METRICS, Similarity
from salix.perturb.attacks import ATTACKS
from salix.perturb.partition import PARTITIONS
from salix.perturb.segmentation import SEGMENTATIONS

__all__ = [
    "ARGUMENTS",
    "COSE",
    "MEASURES",
    "PAPER_DEGRADATION",
    "PAPER_GEOMETRY",
    "PAPER_NOISE",
    "PAPER_REGION_ATTACK",
    "PRESETS",
    "Agreement",
    "Curves",
    "Degradation",
    "Evaluation",
    "Geometry",
    "Noise",
    "Of",
    "RealRegions",
    "RegionAttack",
    "Regions",
    "RelevanceMass",
]

MEASURES: dict[str, type] = {
    "Agreement": Agreement,
    "COSE": COSE,
    "Curves": Curves,
    "Degradation": Degradation,
    "Evaluation": Evaluation,
    "Geometry": Geometry,
    "Noise": Noise,
    "Of": Of,
    "RealRegions": RealRegions,
    "RegionAttack": RegionAttack,
    "Regions": Regions,
    "RelevanceMass": RelevanceMass,
}

ARGUMENTS: dict[str, Any] = {
    "Similarity": Similarity,
    **SEGMENTATIONS,
    **PARTITIONS,
    **ATTACKS,
    **{name: metric.function for name, metric in METRICS.items()},
}
