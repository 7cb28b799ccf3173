"""Selectivity: the area under the curve of a score while all features are removed."""

from collections.abc import Mapping
from typing import Any

from salix.metrics.faithfulness.curves import Curve
from salix.metrics.faithfulness.relevance_order import ALL, remove_regions
from salix.metrics.faithfulness.replacement import Replacement
from salix.metrics.presets import choose_options
from salix.perturb.partition import Partition, Patches
from salix.typing import GridMap, Image, PRNGKey, ScoreLike

FEATURES: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Patches(8), "fill": 0.0},
    "quantus": {"partition": Patches(8), "fill": "minimum"},
}


def selectivity(
    score: ScoreLike,
    image: Image,
    map: GridMap,
    key: PRNGKey,
    *,
    preset: str = "paper",
    partition: Partition | None = None,
    fill: Replacement | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Curve of a score while features are set to zero, most relevant first, until none is left.

    $v_k = f(x^{(k)})$, k = 0 … n for n segments of the `partition`, each replaced by `fill`, in
    falling order of the map's mean over the segment. `fractions` are shares of the segments, and
    the area is the mean of the curve over them by the trapezoid rule: a lower one means a better
    map. In units of the explained score, unbounded.

    `preset` "paper" sets to 0, "quantus" to the lowest value of the image; the paper leaves the
    features open, and both have patches of 8 x 8 pixels here. Passes: n + 1, 785 at 224 x 224,
    `chunk` of them in one batch. NaN where the map is constant or not finite. Raises `InputError`
    for unusable options and a map that does not fit.

    Montavon, Samek and Müller (2018), doi:10.1016/j.dsp.2017.10.011, sec. 5.2.
    """
    chosen = choose_options("selectivity", preset, FEATURES, partition=partition, fill=fill)
    return remove_regions(
        score, image, map, key, "most", steps=ALL, per_step=1, chunk=chunk, **chosen
    )
