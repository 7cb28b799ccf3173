"""Model parameter randomisation test: similarity of maps to those of randomised models."""

from collections.abc import Callable
from math import ceil

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from salix.hyperparameters import FLAG, check_value, choice, integer
from salix.metrics.comparison import SIMILARITY, Similarity
from salix.metrics.explainer import as_explainer, attribute
from salix.metrics.normalisation import scale
from salix.metrics.randomisation.layer_order import layer_groups
from salix.metrics.randomisation.parameter_randomisation import (
    RANDOMISERS,
    choose_arrays,
    randomise,
)
from salix.metrics.samples import COUNT
from salix.typing import Explain, Explainer, Flag, Image, Index, Map, PRNGKey, Scalar

ORDERS = ("top_down", "bottom_up", "independent")
SPEARMAN = Similarity("spearman", eight_bit=False)
Attribute = Callable[[Explainer, Image, Index], Float[Array, "*attributed k"]]


def mprt(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    order: str = "top_down",
    randomiser: str = "permutation",
    stages: int = 10,
    depth: int = 1,
    similarity: Similarity = SPEARMAN,
    absolute: bool = True,
    seed: int = 0,
) -> Scalar:
    r"""Mean similarity of a map to those of the model with layer after layer randomised.

    $\frac{1}{S} \sum_{j=1}^{S} s(a(\theta), a(\theta_j))$: in $\theta_j$ the first
    $\lceil j L / S \rceil$ of the model's $L$ layers are randomised, "top_down" from the output or
    "bottom_up" from the input; "independent": those that stage $j$ adds alone. With `stages` $S$ of
    at least $L$, each layer is a stage of its own, as in the paper. A layer is what shares the
    first `depth` keys of its path in the parameters, in the order in which a pass uses them. Maps
    are summed over channels (of absolute values if `absolute`), scaled to [0, 1] and compared by
    `similarity`, by default Spearman's in [-1, 1]; lower means that the map depends more on what
    the model has learnt.

    `randomiser` is "permutation" of the entries of each array, or "gaussian", of its mean and
    standard deviation (absolute values where the array has no negative one). Other libraries draw
    from the layers' initialisers or uniformly: their scores cannot be compared. The draw is that of
    `seed`, one model for all images; the key is not used. All maps are of the class explained by
    the model itself. NaN where one is constant or not finite. Stages are scanned: one explanation
    each, and one of the model. Raises `InputError` for explanations without a model, unknown names
    and options out of range.

    Adebayo et al. (2018), arXiv:1810.03292, sec. 3.
    """
    del key
    return compare_randomised(
        explain, image, attribute, order=order, randomiser=randomiser, stages=stages, depth=depth,
        similarity=similarity, absolute=absolute, seed=seed,
    ).mean()  # fmt: skip


def compare_randomised(
    explain: Explain,
    image: Image,
    attribute: Attribute,
    *,
    order: str,
    randomiser: str,
    stages: int,
    depth: int,
    similarity: Similarity,
    absolute: bool,
    seed: int,
) -> Float[Array, " stages"]:
    """Return the similarity of a map to that of each stage of randomisation, as in `mprt`.

    `attribute(explainer, image, target)` is the attribution that is compared.
    """
    check_value("order", order, choice(ORDERS))
    check_value("randomiser", randomiser, choice(RANDOMISERS))
    check_value("absolute", absolute, FLAG)
    check_value("similarity", similarity, SIMILARITY)
    check_value("stages", stages, COUNT)
    draw = jax.random.key(check_value("seed", seed, integer(0)))
    explainer = as_explainer(explain)
    groups = layer_groups(explainer, image, depth)
    ordered = groups if order == "bottom_up" else groups[::-1]
    places = [place for group in groups for place in group]
    arrays = randomise(explainer.params, places, draw, randomiser)
    flags = _stage_flags(ordered, stages, len(arrays), cascading=order != "independent")
    target = explainer(image).target
    clean, constant = _as_map(attribute(explainer, image, target), absolute)

    def compare(flags: Bool[Array, " arrays"]) -> Scalar:
        params = choose_arrays(flags, arrays, explainer.params)
        map, unranked = _as_map(attribute(explainer.with_params(params), image, target), absolute)
        return jnp.where(constant | unranked, jnp.nan, similarity(clean, map))

    return jax.lax.map(compare, jnp.asarray(flags))


def _stage_flags(
    ordered: list[list[int]], stages: int, arrays: int, *, cascading: bool
) -> Bool[np.ndarray, "stages arrays"]:
    stages = min(stages, len(ordered))
    ends = [ceil(j * len(ordered) / stages) for j in range(stages + 1)]
    flags = np.zeros((stages, arrays), bool)
    for j in range(stages):
        for group in ordered[0 if cascading else ends[j] : ends[j + 1]]:
            flags[j, group] = True
    return flags


def _as_map(attribution: Float[Array, "*attributed k"], absolute: bool) -> tuple[Map, Flag]:
    return scale((jnp.abs(attribution) if absolute else attribution).sum(-1))
