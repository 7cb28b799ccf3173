"""Deletion and insertion curves of a class probability, with controls for the order of pixels."""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from salix.hyperparameters import check_fields, choice, integer
from salix.measures.conditions import roll_map, some_of
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.curve_presets import FRACTIONS
from salix.metrics.faithfulness.curves import Fractions, evaluate_steps, trapezoid_mean
from salix.metrics.faithfulness.ranking import (
    RISING,
    Ranks,
    order_pixels,
    pixel_counts,
    rank_pixels,
)
from salix.perturb.fills import FILLS, fill_image
from salix.typing import Column, Explain, Explanation, Image, PRNGKey, Values

CONDITIONS = {
    "most": "most salient first",
    "least": "least salient first",
    "moved": "the map moved to a random place, as many pixels",
    "matched": "the map moved to a random place, as much change of pixels as the most salient",
}
DIRECTIONS: dict[tuple[str, str], Literal["higher", "lower", ""]] = {
    ("deletion", "most"): "lower",
    ("deletion", "least"): "higher",
    ("insertion", "most"): "higher",
    ("insertion", "least"): "lower",
}


@dataclass(frozen=True)
class Curves:
    r"""Probability of the explained class while pixels are replaced, or restored, by salience.

    `kind` is "deletion" (pixels of the image are replaced by `fill`) or "insertion" (pixels of
    `fill` by those of the image), as the metrics of those names, on pixel values in [0, 1]: "black"
    is the lowest value of a file. `conditions` are orders of the pixels: "most" and "least" salient
    first, and as controls "moved", the same map rolled around by a random shift, most salient
    first; and "matched", the same, but with as many pixels as change the image by as much in all,
    by the mean $|x' - x|$, as "most" does: salient pixels may be those that any fill changes most.

    Returns for each condition, named `kind_condition_…`: `probability`, the softmax probability of
    the clean image's target, [fractions]; `flip`, 1 where another class is predicted, [fractions];
    `change`, the mean absolute change of pixels from the clean image, in [0, 1], [fractions];
    `area`, the mean of the probability over the range of the fractions, by the trapezoid rule, in
    [0, 1]. All are NaN where the map is constant. Passes of the model: conditions times fractions,
    without their maps; 44 by default. `chunk` of them make one batch. Raises `InputError` for an
    unknown kind, fill or condition, and as the metrics do.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421.
    """

    kind: str = "deletion"
    fractions: Fractions = FRACTIONS
    fill: str = "blur"
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    chunk: int = 1

    def __post_init__(self):
        check_fields(
            self,
            kind=choice(("deletion", "insertion")),
            fractions=RISING,
            fill=choice(FILLS),
            conditions=some_of(CONDITIONS),
            chunk=integer(1),
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        kind = self.kind.title()
        axis = f"share of pixels {'removed' if self.kind == 'deletion' else 'shown'}"
        meaning = f"{kind} by {self.fill} (Petsiuk et al., 2018, arXiv:1806.07421)."
        columns = []
        for condition in self.conditions:
            prefix, title = f"{self.kind}_{condition}", f"{kind}, {CONDITIONS[condition]}"
            for name, what in (
                ("probability", "probability of the explained class"),
                ("flip", "decisions flipped"),
                ("change", "mean change of pixels"),
            ):
                full = f"{title}: {what}"
                columns.append(
                    Column(f"{prefix}_{name}", full, meaning, 0, 1, "", axis, self.fractions)
                )
            title = f"{title}: mean probability"
            direction = DIRECTIONS.get((self.kind, condition), "")
            columns.append(Column(f"{prefix}_area", title, meaning, 0, 1, direction))
        return tuple(columns)

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer = as_explainer(explain)
        pixels = jnp.asarray(explainer.pixels(image))
        fill_key, shift_key = jax.random.split(key)
        replacement = fill_image(pixels, fill_key, self.fill)
        images = (pixels, replacement) if self.kind == "deletion" else (replacement, pixels)
        change = jnp.abs(replacement - pixels).mean(-1)
        predicted, has_contrast = jnp.argmax(clean.logits), clean.map.max() > 0

        def evaluate(changed: Image) -> Values:
            logits = explainer(explainer.image(changed), clean.target).logits
            return {
                "probability": jax.nn.softmax(logits)[clean.target],
                "flip": (jnp.argmax(logits) != predicted).astype(jnp.float32),
                "change": jnp.abs(changed - pixels).mean(),
            }

        def ranks(condition: str) -> Ranks:
            unmoved = condition in ("most", "least")
            map = clean.map if unmoved else roll_map(clean.map, shift_key)
            order = "least" if condition == "least" else "most"
            return rank_pixels(map, change.shape, key, order)

        def counts(condition: str) -> Any:
            nominal = pixel_counts(self.fractions, change.size)
            if condition != "matched":
                return nominal
            return match_change(change, ranks("most"), ranks(condition), nominal)

        values = {}
        for condition in self.conditions:
            curve = evaluate_steps(
                evaluate, *images, ranks(condition), counts(condition), chunk=self.chunk
            )
            curve["area"] = trapezoid_mean(curve["probability"], self.fractions)
            for name, value in curve.items():
                values[f"{self.kind}_{condition}_{name}"] = jnp.where(has_contrast, value, jnp.nan)
        return values


def match_change(
    change: Float[Array, "*space"], ranks: Ranks, other_ranks: Ranks, counts: Any
) -> Int[Array, " steps"]:
    """Return how many leading pixels of another ranking change as much as `counts` of the first.

    The smallest number whose sum of `change` reaches that of the first, by bisection.
    """
    places, other_places = order_pixels(ranks), order_pixels(other_ranks)

    def total_change(places: Array, count: Array) -> Array:
        return jnp.where(places < count, change, 0).sum()

    def match_count(count: Array) -> Array:
        required = total_change(places, count)

        def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bounds
            middle = (low + high) // 2
            enough = total_change(other_places, middle) >= required
            return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

        bounds = jnp.int32(0), jnp.int32(change.size)
        return lax.fori_loop(0, change.size.bit_length(), halve, bounds)[1]

    return lax.map(match_count, jnp.asarray(counts))
