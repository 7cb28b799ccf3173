"""How the probability of a class falls as what its map marks leaves the image, beside controls."""

from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float, Int

from salix.measures.degradation import move
from salix.metrics.curves import FRACTIONS, Keys, area, counts_of, leading, rank, walk
from salix.perturb.fill import FILLS, filled
from salix.typing import (
    AnyArray,
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    PRNGKey,
    Values,
    as_explainer,
)

CONDITIONS = {
    "most": "most salient first",
    "least": "least salient first",
    "moved": "the map moved to a random place, as many cells",
    "matched": "the map moved to a random place, as much change of pixels as the most salient",
}
BETTER: dict[tuple[str, str], Literal["higher", "lower"]] = {
    ("deletion", "most"): "lower",
    ("deletion", "least"): "higher",
    ("insertion", "most"): "higher",
    ("insertion", "least"): "lower",
}


@dataclass(frozen=True)
class Curves:
    r"""Probability of the explained class while cells leave the image, or come in, as a map says.

    `kind` is "deletion" (the image loses its first cells to `fill`) or "insertion" (`fill` gains
    them), as the metrics of those names, with pixels as values of a file: "black" is a file's
    lowest value. `conditions` are orders of the cells: "most" and "least" salient first, and as controls
    "moved", the same map rolled around by a random shift, most salient first; and "matched", the
    same, but so many of its cells that the pixels changed so far, mean $|x' - x|$, are changed as
    much in all as by "most": what is salient may be what any fill changes most.

    Returns for each condition, named `kind_condition_…`: `probability`, the softmax probability of the class
    that is explained of the clean image, [fractions]; `flip`, 1 where another class is predicted,
    [fractions]; `change`, the mean absolute change of pixels from the clean image, in [0, 1],
    [fractions]; `area`, the mean of the probability over the range of the fractions, by the
    trapezoid rule, in [0, 1]. All are NaN where the map is constant. Passes of the model: conditions times
    fractions, without their maps; 44 by default. `chunk` of them make one batch. Raises
    `InputError` for an unknown kind, fill or condition, and as the metrics do.

    Petsiuk, Das and Saenko (2018), arXiv:1806.07421.
    """

    kind: str = "deletion"
    fractions: tuple[float | int, ...] = FRACTIONS
    fill: str = "blur"
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    chunk: int = 1

    def __post_init__(self):
        for name, value, known in (
            ("kind", self.kind, ("deletion", "insertion")),
            ("fill", self.fill, FILLS),
        ):
            if value not in known:
                raise InputError(f"{name} is {value!r}: choose one of {', '.join(known)}")
        if (
            not self.conditions
            or set(self.conditions) - set(CONDITIONS)
            or len(set(self.conditions)) < len(self.conditions)
        ):
            raise InputError(
                f"conditions are {self.conditions}: give some of {', '.join(CONDITIONS)}, each once"
            )
        if self.chunk < 1:
            raise InputError(f"chunk is {self.chunk}: give 1 step a batch, or more")
        counts_of(self.fractions, 1)

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the numbers mean."""
        found = []
        done = "removed" if self.kind == "deletion" else "shown"
        about = f"{self.kind.title()} by {self.fill} (Petsiuk et al., 2018, arXiv:1806.07421)."
        for condition in self.conditions:
            title, prefix = (
                f"{self.kind.title()}, {CONDITIONS[condition]}",
                f"{self.kind}_{condition}",
            )
            for name, what in (
                ("probability", "probability of the explained class"),
                ("flip", "decisions flipped"),
                ("change", "mean change of pixels"),
            ):
                found.append(
                    Column(
                        f"{prefix}_{name}", f"{title}: {what}", about, 0, 1, "",
                        f"share of cells {done}", self.fractions,
                    )
                )  # fmt: skip
            found.append(
                Column(
                    f"{prefix}_area",
                    f"{title}: mean probability",
                    about,
                    0,
                    1,
                    BETTER.get((self.kind, condition), ""),
                )
            )
        return tuple(found)

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer = as_explainer(explain)
        pixels = jnp.asarray(explainer.pixels(image))
        filling, moving = jax.random.split(key)
        other = filled(pixels, filling, self.fill)
        before, after = (pixels, other) if self.kind == "deletion" else (other, pixels)
        change = jnp.abs(other - pixels).mean(-1)
        predicted, alive = jnp.argmax(clean.logits), clean.map.max() > 0

        def see(changed: Image) -> dict[str, Any]:
            logits = explainer(explainer.image(changed), clean.target).logits
            return {
                "probability": jax.nn.softmax(logits)[clean.target],
                "flip": (jnp.argmax(logits) != predicted).astype(jnp.float32),
                "change": jnp.abs(changed - pixels).mean(),
            }

        def keys(condition: str) -> Keys:
            map = clean.map if condition in ("most", "least") else move(clean.map, moving)
            return rank(map, change.shape, key, "least" if condition == "least" else "most")

        def counts(condition: str) -> Any:
            due = counts_of(self.fractions, change.size)
            return (
                due if condition != "matched" else match(change, keys("most"), keys(condition), due)
            )

        found = {}
        for condition in self.conditions:
            curve = walk(see, before, after, keys(condition), counts(condition), self.chunk)
            curve["area"] = area(curve["probability"], self.fractions)
            for name, value in curve.items():
                found[f"{self.kind}_{condition}_{name}"] = jnp.where(alive, value, jnp.nan)
        return found


def match(
    change: Float[AnyArray, "*space"], ranks: Keys, others: Keys, counts: Any
) -> Int[Array, " steps"]:
    """Return how many leading cells of another ranking change as much as those counted of one.

    The fewest whose sum of `change` reaches the other's, found by bisection.
    """
    ordered, reordered = jnp.sort(ranks.ravel()), jnp.sort(others.ravel())

    def of(ranks: Keys, ordered: Array, count: Array) -> Array:
        return jnp.where(leading(ranks, ordered, count), change, 0).sum()

    def one(count: Array) -> Array:
        wanted = of(ranks, ordered, count)

        def halve(_: Any, bounds: tuple[Array, Array]) -> tuple[Array, Array]:
            low, high = bounds
            middle = (low + high) // 2
            enough = of(others, reordered, middle) >= wanted
            return jnp.where(enough, low, middle + 1), jnp.where(enough, middle, high)

        ends = jnp.int32(0), jnp.int32(change.size)
        return lax.fori_loop(0, change.size.bit_length(), halve, ends)[1]

    return lax.map(one, jnp.asarray(counts))
