"""Probability and decision when an attack may change the most salient segments, or random ones."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from salix.hyperparameters import FLAG, TEXT, check_fields, choice, integer
from salix.measures.conditions import some_of
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.attacked_segments import (
    COUNTS,
    TOWARD,
    UNITS,
    attack_regions,
    is_attacked,
    is_flipped,
    ranked_regions,
)
from salix.perturb.attacks import ATTACK, NES
from salix.perturb.partition import PARTITION, Superpixels
from salix.typing import Column, Explain, Explanation, Image, PRNGKey, Values

CONDITIONS = {
    "most": "the most salient segments",
    "least": "the least salient segments",
    "random": "as many random segments",
}


@dataclass(frozen=True)
class RegionAttack:
    r"""Probability and decision when an attack may change the most salient segments alone.

    For each of `conditions` and `counts`, the first so many segments of the `partition` by mean
    attribution, or random ones as a control, are attacked as `metrics.region_attack` does, whose
    options the other fields are. Returns for each condition, named `prefix_condition_…`:
    `probability`, the softmax probability of the clean image's target, [0, counts]; `flip`, 1 where
    another class is predicted, or the class `toward`, [0, counts]; `change`, the mean absolute
    change of pixel values, in [0, 1], [0, counts]; and `fall`, the mean fall of the probability, in
    [-1, 1]. With the conditions "most" and "random" `prefix_gap`, the difference of their falls.
    The accuracy after the attack is the share of images that are predicted correctly and not
    flipped: on forged images the paper's.

    All are NaN where the map is constant, and where `toward` is the class explained. Passes:
    conditions times those of the metric, without its explanation; 24,006 by default.
    `PAPER_REGION_ATTACK` is the released setting. Raises `InputError` for unusable fields.

    Tsigos et al. (2024), arXiv:2404.18649, sec. 3.
    """

    attack: Any = NES()  # noqa: RUF009 - it is frozen
    counts: tuple[int, ...] = (1, 2, 3)
    conditions: tuple[str, ...] = ("most", "random")
    partition: Any = Superpixels()  # noqa: RUF009 - it is frozen
    toward: int | None = None
    units: str = "pixels"
    stop: bool = False
    chunk: int = 1
    prefix: str = "attack"

    def __post_init__(self):
        check_fields(
            self,
            attack=ATTACK,
            counts=COUNTS,
            conditions=some_of(CONDITIONS),
            partition=PARTITION,
            toward=TOWARD,
            units=choice(UNITS),
            stop=FLAG,
            chunk=integer(1),
            prefix=TEXT,
        )

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        end = ", ended where the decision flips" if self.stop else ""
        meaning = (
            f"Segments of {self.partition} attacked by {self.attack}, in units of the {self.units}"
            f"{end} (Tsigos et al., 2024, arXiv:2404.18649)."
        )
        over = "segments attacked", (0, *self.counts)
        columns = []
        for condition in self.conditions:
            prefix, title = f"{self.prefix}_{condition}", f"Attack on {CONDITIONS[condition]}"
            for name, text in (
                ("probability", "probability of the explained class"),
                ("flip", "decisions flipped"),
                ("change", "mean change of pixels"),
            ):
                full = f"{title}: {text}"
                columns.append(Column(f"{prefix}_{name}", full, meaning, 0, 1, "", *over))
            direction = "higher" if condition == "most" else ""
            title = f"{title}: mean fall of the probability"
            columns.append(Column(f"{prefix}_fall", title, meaning, -1, 1, direction))
        if {"most", "random"} <= set(self.conditions):
            title = "Attack: gap to random segments"
            columns.append(Column(f"{self.prefix}_gap", title, meaning, -1, 1, "higher"))
        return tuple(columns)

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer = as_explainer(explain)
        order_key, attack_key = jax.random.split(key)
        regions = jnp.concatenate(
            [
                ranked_regions(image, clean, order_key, order, self.counts, self.partition)[0]
                for order in self.conditions
            ]
        )
        logits, change = attack_regions(
            explainer,
            image,
            clean,
            regions,
            attack_key,
            attack=self.attack,
            toward=self.toward,
            units=self.units,
            stop=self.stop,
            chunk=self.chunk,
        )
        before = jax.nn.softmax(clean.logits)[clean.target]
        probability = jax.nn.softmax(logits)[:, clean.target]
        flip = jax.vmap(lambda z: is_flipped(z, clean.target, self.toward))(logits)
        arrays = {"probability": probability, "flip": flip.astype(before.dtype), "change": change}
        zero = jnp.zeros_like(before)
        clean_values = {"probability": before, "flip": zero, "change": zero}
        defined, values = is_attacked(clean, self.toward), {}
        for i, condition in enumerate(self.conditions):
            own = slice(i * len(self.counts), (i + 1) * len(self.counts))
            result = {
                name: jnp.concatenate([clean_values[name][None], array[own]])
                for name, array in arrays.items()
            }
            result["fall"] = (before - arrays["probability"][own]).mean()
            for name, value in result.items():
                values[f"{self.prefix}_{condition}_{name}"] = jnp.where(defined, value, jnp.nan)
        if {"most", "random"} <= set(self.conditions):
            falls = (values[f"{self.prefix}_{name}_fall"] for name in ("most", "random"))
            values[f"{self.prefix}_gap"] = next(falls) - next(falls)
        return values


PAPER_REGION_ATTACK = RegionAttack(
    NES(radius=None, grey=True),
    conditions=("most",),
    units="input",
    stop=True,
    prefix="paper_attack",
)
"""The released setting: normalised units, unbounded sum of steps, grey noise, end at the flip."""
