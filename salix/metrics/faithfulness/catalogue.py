"""Descriptions of the faithfulness metrics: source, range, direction, cost, options, presets."""

from collections.abc import Callable, Mapping
from typing import Any

from salix.hyperparameters import Hyperparameter, choice, integer, optional
from salix.metrics.faithfulness.curve_presets import DELETION, INSERTION
from salix.metrics.faithfulness.curves import BLACK, deletion, insertion
from salix.metrics.faithfulness.debiased_removal import BELOW_ONE, NOISE, REMOVALS, ROAD, road
from salix.metrics.faithfulness.patch_selectivity import FEATURES, selectivity
from salix.metrics.faithfulness.ranking import ORDERS, RISING
from salix.metrics.faithfulness.relevance_order import (
    REGIONS,
    abpc,
    aopc,
    count_steps,
    lerf,
    morf,
)
from salix.metrics.faithfulness.replacement import FILL, REPLACEMENTS
from salix.metrics.faithfulness.segment_removal import SEGMENTS, irof
from salix.metrics.info import MetricInfo
from salix.metrics.presets import Presets, complete_options
from salix.perturb.partition import PARTITION
from salix.typing import Passes

Cost = Callable[[Mapping[str, Any], tuple[int, ...]], Passes]
Options = tuple[tuple[str, Hyperparameter], ...]
_CHUNK = ("chunk", integer(1))
_REMOVAL: Options = (("partition", optional(PARTITION)), ("fill", optional(FILL)), _CHUNK)
_REGIONS: Options = (
    ("preset", choice(REGIONS)),
    ("steps", optional(integer(1))),
    ("per_step", optional(integer(1))),
    *_REMOVAL,
)
_CURVE: Options = (
    ("preset", choice(DELETION)),
    ("fractions", optional(RISING)),
    ("fill", optional(choice(REPLACEMENTS))),
    ("order", choice(ORDERS)),
    ("black", optional(BLACK)),
    _CHUNK,
)
_SAMEK = "Samek et al., 2017, arXiv:1509.06321"
_RISE = "Petsiuk et al., 2018, arXiv:1806.07421"


def _fraction_passes(presets: Presets) -> Cost:
    """Return the cost of a curve: a pass for each fraction, two for a combination of curves."""

    def passes(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
        del shape
        chosen = complete_options(presets, options)
        curves = 2 if chosen.get("order") == "combined" else 1
        return Passes(curves * len(chosen["fractions"]))

    return passes


def _region_passes(presets: Presets, *, curves: int = 1) -> Cost:
    """Return the cost of removing segments: a pass for each step, and one before the first."""

    def passes(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
        chosen = complete_options(presets, options)
        count = chosen["partition"].count(shape)
        return Passes(
            curves * (1 + count_steps(count, chosen.get("steps", count), chosen.get("per_step", 1)))
        )

    return passes


METRICS: dict[str, MetricInfo] = {
    "deletion": MetricInfo(
        deletion, "Deletion", _RISE, 0, 1, "lower", _CURVE, group="faithfulness",
        score="probability", passes=_fraction_passes(DELETION), presets=DELETION,
    ),
    "insertion": MetricInfo(
        insertion, "Insertion", _RISE, 0, 1, "higher", _CURVE, group="faithfulness",
        score="probability", passes=_fraction_passes(INSERTION), presets=INSERTION,
    ),
    "morf": MetricInfo(
        morf, "Most relevant first", _SAMEK, None, None, "lower", _REGIONS, group="faithfulness",
        score="explained", passes=_region_passes(REGIONS), presets=REGIONS,
    ),
    "lerf": MetricInfo(
        lerf, "Least relevant first", _SAMEK, None, None, "higher", _REGIONS, group="faithfulness",
        score="explained", passes=_region_passes(REGIONS), presets=REGIONS,
    ),
    "aopc": MetricInfo(
        aopc, "Area over the perturbation curve", _SAMEK, None, None, "higher", _REGIONS,
        group="faithfulness", score="explained", passes=_region_passes(REGIONS), presets=REGIONS,
    ),
    "abpc": MetricInfo(
        abpc, "Area between the perturbation curves", _SAMEK, None, None, "higher", _REGIONS,
        group="faithfulness", score="explained", passes=_region_passes(REGIONS, curves=2),
        presets=REGIONS,
    ),
    "selectivity": MetricInfo(
        selectivity, "Selectivity", "Montavon et al., 2018, doi:10.1016/j.dsp.2017.10.011",
        None, None, "lower", (("preset", choice(FEATURES)), *_REMOVAL), group="faithfulness",
        score="explained", passes=_region_passes(FEATURES), presets=FEATURES,
    ),
    "irof": MetricInfo(
        irof, "Iterative removal of features", "Rieger and Hansen, 2020, arXiv:2003.08747",
        None, None, "higher", (("preset", choice(SEGMENTS)), *_REMOVAL), group="faithfulness",
        score="probability", passes=_region_passes(SEGMENTS), presets=SEGMENTS,
    ),
    "road": MetricInfo(
        road, "Remove and debias", "Rong et al., 2022, arXiv:2202.00449", -0.5, 1, "lower",
        (
            ("preset", choice(ROAD)),
            ("fractions", optional(BELOW_ONE)),
            ("order", optional(choice(REMOVALS))),
            ("noise", optional(NOISE)),
            _CHUNK,
        ),
        group="faithfulness", score="probability", passes=_fraction_passes(ROAD), presets=ROAD,
    ),
}  # fmt: skip
