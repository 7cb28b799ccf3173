"""Fall of a probability when an adversarial attack may change the most salient segments alone."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Bool, Float

from salix.hyperparameters import (
    FLAG,
    Hyperparameter,
    check_value,
    choice,
    integer,
    optional,
    several,
)
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.curves import Curve
from salix.metrics.faithfulness.ranking import is_ranked
from salix.metrics.faithfulness.segments import label_segments, order_segments
from salix.metrics.presets import choose_options
from salix.perturb.attack_steps import Attack, log_odds
from salix.perturb.attacks import ATTACK, NES, SignGradient
from salix.perturb.partition import Partition, Superpixels
from salix.precision import widen
from salix.typing import (
    AnyArray,
    Explain,
    Explainer,
    Explanation,
    Flag,
    Image,
    Index,
    Logits,
    PRNGKey,
)

UNITS = ("pixels", "input")
TOWARD = optional(
    integer(0), remedy="give the index of a class, or None for any but the explained one"
)


def _plain_counts(value: Any) -> tuple[int, ...]:
    counts = several(integer(1), remedy="").plain(value)
    if any(b <= a for a, b in pairwise(counts)):
        raise ValueError
    return counts


COUNTS = Hyperparameter(_plain_counts, "give numbers of segments, rising, as (1, 2, 3)")
_BOUNDED = {"partition": Superpixels(), "units": "pixels", "stop": False}
_RELEASED = {"partition": Superpixels(), "units": "input", "stop": True}
# The released code adds its steps to the normalised input, unbounded in their sum, with one draw
# for all channels of a pixel.
ATTACKED: Mapping[str, Mapping[str, Any]] = {
    "default": {"attack": NES(), **_BOUNDED},
    "paper": {"attack": NES(radius=None, grey=True), **_RELEASED},
    "white_box": {"attack": SignGradient(), **_BOUNDED},
}


def region_attack(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    preset: str = "default",
    attack: Attack | None = None,
    counts: tuple[int, ...] = (1, 2, 3),
    order: str = "most",
    partition: Partition | None = None,
    toward: int | None = None,
    units: str | None = None,
    stop: bool | None = None,
    chunk: int = 1,
) -> Curve:
    r"""Fall of a probability when an attack may change the most salient segments alone.

    $v_k = p(x^{(k)})$, the softmax probability of the explained class when the k segments of the
    greatest mean attribution are attacked, for k = 0 and each of `counts`, every time from the
    image on. The area is the mean fall, $\frac{1}{|K|} \sum_{k \in K} v_0 - v_k$, in [-1, 1]:
    higher for a better map. `fractions` are shares of the segments. `order` "least" or "random"
    attacks others, as a control. Segments are about 50 superpixels.

    `attack` lowers the log odds of the explained class, or raises those of the class `toward`, the
    authentic one in the paper: they have the probability's slope, also where that rounds to 1.
    `preset` "default": `NES` within 16/255 of the pixel values, in [0, 1]; "white_box":
    `SignGradient` within the same; "paper": NES as released, in `units` of the "input", with no
    bound but that of its steps (50/255) and one draw for all channels of a pixel. With `stop` the
    attack ends where the decision flips, so that the fall is that at the flip.

    Passes: 12,003 by default and one explanation, 3 and 48 gradients white-box; `chunk` samples of
    NES, of two passes each, make one batch. NaN where the map is constant or not finite, and where
    `toward` is the class explained. Raises `InputError` for unusable options and a map that does
    not fit.

    Tsigos et al. (2024), arXiv:2404.18649, sec. 3; their released code.
    """
    chosen = choose_options(
        "region_attack",
        preset,
        ATTACKED,
        attack=attack,
        partition=partition,
        units=units,
        stop=stop,
    )
    counts = check_value("counts", counts, COUNTS)
    explainer = as_explainer(explain)
    clean = explainer(image)
    order_key, attack_key = jax.random.split(key)
    regions, segments = ranked_regions(
        image, clean, order_key, order, counts, chosen.pop("partition")
    )
    logits, _ = attack_regions(
        explainer, image, clean, regions, attack_key, toward=toward, chunk=chunk, **chosen
    )
    values = jax.nn.softmax(jnp.concatenate([widen(clean.logits)[None], logits]))[:, clean.target]
    values = jnp.where(is_attacked(clean, toward), values, jnp.nan)
    shares = jnp.asarray((0, *counts), values.dtype) / segments.astype(values.dtype)
    return Curve(jnp.minimum(shares, 1), values, (values[0] - values[1:]).mean())


def ranked_regions(
    image: Image,
    clean: Explanation,
    key: PRNGKey,
    order: str,
    counts: tuple[int, ...],
    partition: Partition,
) -> tuple[Bool[Array, "counts *space"], Array]:
    """Return the first segments of a map as one region for each count, and the segments' number."""
    labels, count = label_segments(image, partition)
    places, sizes = order_segments(clean.map, labels, count, order, key)
    first = jnp.asarray(counts, jnp.int32).reshape(-1, *[1] * labels.ndim)
    return places[labels][None] < first, (sizes > 0).sum(dtype=jnp.int32)


def attack_regions(
    explainer: Explainer,
    image: Image,
    clean: Explanation,
    regions: Bool[AnyArray, "counts *space"],
    key: PRNGKey,
    *,
    attack: Attack,
    toward: int | None,
    units: str,
    stop: bool,
    chunk: int,
) -> tuple[Float[Array, "counts classes"], Float[Array, " counts"]]:
    """Return the logits of the image attacked in each region, and the mean change of its pixels."""
    attack = check_value("attack", attack, ATTACK)
    toward = check_value("toward", toward, TOWARD)
    in_pixels = check_value("units", units, choice(UNITS)) == "pixels"
    ends = check_value("stop", stop, FLAG)
    check_value("chunk", chunk, integer(1))
    image = jnp.asarray(image)
    start = jnp.asarray(explainer.pixels(image)) if in_pixels else image

    def logits(x: Image) -> Array:
        attacked = explainer.image(x) if in_pixels else x
        return jnp.asarray(widen(explainer(attacked, clean.target).logits))

    def function(x: Image) -> Any:
        if toward is None:
            return log_odds(logits(x), clean.target)
        return -log_odds(logits(x), toward)

    def attack_one(region: Array, key: PRNGKey) -> tuple[Array, Array]:
        x = attack(
            function,
            start,
            region,
            key,
            limits=(0.0, 1.0) if in_pixels else None,
            succeeded=(lambda x: is_flipped(logits(x), clean.target, toward)) if ends else None,
            chunk=chunk,
        )
        pixels = x if in_pixels else explainer.pixels(x)
        return logits(x), jnp.abs(pixels - explainer.pixels(image)).mean()

    keys = jax.random.split(key, len(regions))
    return lax.map(lambda each: attack_one(*each), (jnp.asarray(regions), keys))


def is_flipped(logits: Logits, target: Index, toward: int | None) -> Flag:
    """Return whether a class other than the explained one is predicted, or the class `toward`."""
    predicted = jnp.argmax(logits).astype(jnp.int32)
    return predicted != target.astype(jnp.int32) if toward is None else predicted == toward


def is_attacked(clean: Explanation, toward: int | None) -> Flag:
    """Return whether an attack is defined: a map ranks segments, of another class than `toward`."""
    ranked = is_ranked(clean.map)
    return ranked if toward is None else ranked & (clean.target != toward)
