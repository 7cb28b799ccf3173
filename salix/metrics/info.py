"""Description of one metric: source, range, direction, cost, needs and options."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from salix.hyperparameters import Hyperparameter
from salix.typing import Passes

Group = Literal[
    "faithfulness",
    "robustness",
    "localisation",
    "complexity",
    "randomisation",
    "axiom",
    "similarity",
]


@dataclass(frozen=True)
class MetricInfo:
    """A metric, its title and source, range (None: unbounded), better direction and options.

    The range and direction of a metric of two maps are those of a map and a reference mask, those
    of a curve are for a score in [0, 1] and the most salient pixels first. `group` is the place in
    the field's taxonomy. `score` is the scalar that a metric of (score, image, map, key) evaluates:
    "probability", the softmax probability of the target, or "explained", the scalar that the map
    explains. `passes(options, shape)` is the cost of an image of a shape [*space c]; None where no
    pass is needed. `needs` names what a metric requires beside the map: "reference mask", "trunk",
    "parameters"; or in its place: "attribution", neither pooled nor scaled. `presets` are the
    options of named variants, as peers compute them.
    """

    function: Callable[..., Any]
    title: str
    source: str
    low: float | None
    high: float | None
    direction: Literal["higher", "lower", ""] = ""
    options: tuple[tuple[str, Hyperparameter], ...] = ()
    group: Group | Literal[""] = ""
    score: Literal["probability", "explained", ""] = ""
    passes: Callable[[Mapping[str, Any], tuple[int, ...]], Passes] | None = None
    needs: tuple[str, ...] = ()
    presets: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
