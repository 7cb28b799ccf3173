"""Description of the metric of attacked segments."""

from collections.abc import Mapping
from typing import Any

from salix.hyperparameters import OPTIONAL_FLAG, choice, integer, optional
from salix.metrics.faithfulness.attacked_segments import (
    ATTACKED,
    COUNTS,
    TOWARD,
    UNITS,
    region_attack,
)
from salix.metrics.faithfulness.ranking import ORDERS
from salix.metrics.info import MetricInfo
from salix.metrics.presets import complete_options
from salix.perturb.attacks import ATTACK
from salix.perturb.partition import PARTITION
from salix.typing import Passes


def _attacks(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
    """Return the cost of an attack and a pass for each count; with `stop` the most it can be."""
    del shape
    chosen = complete_options(ATTACKED, options)
    attack = chosen["attack"]
    one = attack.passes + Passes(evaluations=1 + chosen["stop"] * attack.steps)
    return len(chosen.get("counts", (1, 2, 3))) * one + Passes(explanations=1)


METRICS: dict[str, MetricInfo] = {
    "region_attack": MetricInfo(
        region_attack, "Attack on the top segments", "Tsigos et al., 2024, arXiv:2404.18649",
        -1, 1, "higher",
        (
            ("preset", choice(ATTACKED)),
            ("attack", optional(ATTACK)),
            ("counts", COUNTS),
            ("order", choice(ORDERS)),
            ("partition", optional(PARTITION)),
            ("toward", TOWARD),
            ("units", optional(choice(UNITS))),
            ("stop", OPTIONAL_FLAG),
            ("chunk", integer(1)),
        ),
        group="faithfulness", passes=_attacks, presets=ATTACKED,
    ),
}  # fmt: skip
