"""Descriptions of the faithfulness metrics: source, range, direction, cost, options, presets."""

from collections.abc import Callable, Mapping
from typing import Any

from salix.hyperparameters import FLAG, Hyperparameter, choice, integer, optional
from salix.metrics.faithfulness.curve_presets import DELETION, INSERTION
from salix.metrics.faithfulness.curves import BLACK, deletion, insertion
from salix.metrics.faithfulness.debiased_removal import BELOW_ONE, NOISE, REMOVALS, ROAD, road
from salix.metrics.faithfulness.expected_change import DRAWS, NGUYEN, monotonicity_correlation
from salix.metrics.faithfulness.patch_selectivity import FEATURES, selectivity
from salix.metrics.faithfulness.perturbation_infidelity import (
    INFIDELITY,
    PERTURBATION,
    UNITS,
    WIDTH,
    infidelity,
)
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
from salix.metrics.faithfulness.revealing import ARYA, TOLERANCE, monotonicity
from salix.metrics.faithfulness.segment_removal import SEGMENTS, irof
from salix.metrics.faithfulness.single_removal import SINGLE, faithfulness_estimate
from salix.metrics.faithfulness.subset_correlation import (
    ANCONA,
    BHATT,
    FEL,
    SAMPLES,
    SHARE,
    SHARES,
    faithfulness_correlation,
    mu_fidelity,
    sensitivity_n,
)
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
_BHATT = "Bhatt et al., 2020, arXiv:2005.00631"
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


def _feature_passes(presets: Presets, *, first: int = 1) -> Cost:
    """Return the cost of one feature at a time, for each of the samples, after `first` passes."""

    def passes(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
        chosen = complete_options(presets, options)
        return Passes(first + chosen.get("samples", 1) * chosen["partition"].count(shape))

    return passes


def _sample_passes(presets: Presets) -> Cost:
    """Return the cost of random subsets or perturbations: one each, and one of the image."""

    def passes(options: Mapping[str, Any], shape: tuple[int, ...]) -> Passes:
        del shape
        chosen = complete_options(presets, options)
        return Passes(1 + chosen["samples"] * len(chosen.get("fractions", (1,))))

    return passes


_SUBSETS: Options = (
    ("fraction", optional(SHARE)),
    ("samples", optional(SAMPLES)),
    *_REMOVAL,
)
_SIGNED = ("attribution",)

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
    "sensitivity_n": MetricInfo(
        sensitivity_n, "Sensitivity-n", "Ancona et al., 2018, arXiv:1711.06104", -1, 1, "higher",
        (
            ("preset", choice(ANCONA)),
            ("fractions", optional(SHARES)),
            ("samples", optional(SAMPLES)),
            *_REMOVAL,
        ),
        group="faithfulness", score="explained", passes=_sample_passes(ANCONA), needs=_SIGNED,
        presets=ANCONA,
    ),
    "faithfulness_correlation": MetricInfo(
        faithfulness_correlation, "Faithfulness correlation", _BHATT, -1, 1, "higher",
        (("preset", choice(BHATT)), *_SUBSETS), group="faithfulness", score="explained",
        passes=_sample_passes(BHATT), needs=_SIGNED, presets=BHATT,
    ),
    "mu_fidelity": MetricInfo(
        mu_fidelity, "μ-fidelity", f"Fel et al., 2021, arXiv:2111.04138; {_BHATT}", -1, 1,
        "higher", (("preset", choice(FEL)), *_SUBSETS), group="faithfulness", score="explained",
        passes=_sample_passes(FEL), needs=_SIGNED, presets=FEL,
    ),
    "faithfulness_estimate": MetricInfo(
        faithfulness_estimate, "Faithfulness estimate",
        "Alvarez-Melis and Jaakkola, 2018, arXiv:1806.07538", -1, 1, "higher",
        (("preset", choice(SINGLE)), *_REMOVAL), group="faithfulness", score="explained",
        passes=_feature_passes(SINGLE), needs=_SIGNED, presets=SINGLE,
    ),
    "monotonicity": MetricInfo(
        monotonicity, "Monotonicity", "Arya et al., 2019, arXiv:1909.03012", 0, 1, "higher",
        (("preset", choice(ARYA)), ("tolerance", TOLERANCE), *_REMOVAL), group="faithfulness",
        score="probability", passes=_feature_passes(ARYA, first=0), presets=ARYA,
    ),
    "monotonicity_correlation": MetricInfo(
        monotonicity_correlation, "Monotonicity correlation",
        "Nguyen and Martínez, 2020, arXiv:2007.07584", -1, 1, "higher",
        (("preset", choice(NGUYEN)), ("samples", optional(DRAWS)), *_REMOVAL),
        group="faithfulness", score="explained", passes=_feature_passes(NGUYEN), needs=_SIGNED,
        presets=NGUYEN,
    ),
    "infidelity": MetricInfo(
        infidelity, "Infidelity", "Yeh et al., 2019, arXiv:1901.09392", 0, None, "lower",
        (
            ("preset", choice(INFIDELITY)),
            ("perturbation", optional(PERTURBATION)),
            ("samples", optional(DRAWS)),
            ("noise", optional(WIDTH)),
            ("side", optional(integer(1))),
            ("fill", optional(FILL)),
            ("units", choice(UNITS)),
            ("normalise", FLAG),
            _CHUNK,
        ),
        group="faithfulness", score="explained", passes=_sample_passes(INFIDELITY),
        needs=_SIGNED, presets=INFIDELITY,
    ),
}  # fmt: skip
