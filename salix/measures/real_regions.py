"""Probability of a class while salient regions of an image become those of an authentic one."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from salix.hyperparameters import Hyperparameter, check_fields, choice, integer, optional
from salix.measures.conditions import some_of
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.attacked_segments import is_attacked
from salix.metrics.faithfulness.curve_presets import FRACTIONS
from salix.metrics.faithfulness.curves import Fractions, trapezoid_mean
from salix.metrics.faithfulness.ranking import RISING
from salix.metrics.faithfulness.segments import label_segments, order_segments, scan_batches
from salix.perturb.partition import PARTITION, Superpixels
from salix.typing import (
    AnyArray,
    Column,
    Explain,
    Explanation,
    Image,
    InputError,
    PRNGKey,
    Values,
)

SOURCE = (
    "after insertion and deletion, Petsiuk et al., 2018, arXiv:1806.07421; segments as "
    "Rieger and Hansen, 2020, arXiv:2003.08747"
)
CONDITIONS = {"most": "most salient segments first", "random": "segments in random order"}
KINDS = {"real": "regions of an authentic image inserted", "forged": "regions inserted into one"}
PARTNERS = ("nearest", "random")


def _plain_references(value: Any) -> Any:
    is_stack = isinstance(value, AnyArray) and value.ndim >= 2 and len(value) > 0
    if not is_stack or not np.isfinite(value).all():
        raise ValueError
    return value


REFERENCES = Hyperparameter(
    _plain_references,
    "give an array of authentic images [n *space c] as the model receives them; on the command "
    "line --references FOLDER",
)


@dataclass(frozen=True)
class RealRegions:
    r"""Probability of the explained class while its salient regions become those of a real image.

    $v_j = p(x \text{ with its first } \mathrm{round}(q_j n) \text{ of } n \text{ segments from }
    x')$ at `fractions` $q_j$, segments of the `partition` of x in falling order of mean
    attribution ("most") or, as a control, in random order. x' is an authentic image of
    `references`: the one of the least mean squared difference, which is the pristine source of a
    manipulated frame where that is among them, or with `partner` "random" any, by the key. Regions
    lie at the same place, so that faces should be aligned. `kind` "real" starts with x and ends
    with x'; "forged" the other way round, regions of x inserted into x'.

    Returns for each of `conditions`, named `kind_regions_condition_…`: `probability`, the softmax
    probability of the clean image's target, [fractions]; `flip`, 1 where another class is
    predicted, [fractions]; `change`, the mean absolute difference of pixel values from x, in
    [0, 1], [fractions]; and `area`, the mean of the probability over the range of the fractions,
    by the trapezoid rule. With both conditions `kind_regions_gap`, by how much the area of "most"
    is better than that of "random", in [-1, 1]; and `kind_regions_distance`, the root mean square
    difference of x and x' in pixel values.

    For images of the forged class: NaN where the explained class is `authentic`, and where the map
    is constant. Passes: conditions times fractions, 22 by default, `chunk` of them in one batch.
    Raises `InputError` for references of another shape or not finite, and unusable fields.

    Replacement by authentic regions is ours, after deletion and insertion: Petsiuk et al. (2018),
    arXiv:1806.07421; segments as in Rieger and Hansen (2020), arXiv:2003.08747.
    """

    references: Any = None
    authentic: int | None = None
    partner: str = "nearest"
    kind: str = "real"
    fractions: Fractions = FRACTIONS
    conditions: tuple[str, ...] = tuple(CONDITIONS)
    partition: Any = Superpixels()  # noqa: RUF009 - it is frozen
    chunk: int = 1

    def __post_init__(self):
        check_fields(
            self,
            references=optional(REFERENCES, remedy=REFERENCES.remedy),
            authentic=optional(integer(0)),
            partner=choice(PARTNERS),
            kind=choice(KINDS),
            fractions=RISING,
            conditions=some_of(CONDITIONS),
            partition=PARTITION,
            chunk=integer(1),
        )

    @property
    def prefix(self) -> str:
        """The start of the names of all columns."""
        return f"{self.kind}_regions"

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of each column."""
        title = KINDS[self.kind].capitalize()
        meaning = f"{title}, {self.partner} of the references, by {self.partition} ({SOURCE})."
        over = "share of segments replaced" if self.kind == "real" else "share of segments inserted"
        columns = []
        for condition in self.conditions:
            prefix, start = f"{self.prefix}_{condition}", f"{title}, {CONDITIONS[condition]}"
            for name, text in (
                ("probability", "probability of the explained class"),
                ("flip", "decisions flipped"),
                ("change", "mean difference of pixels"),
            ):
                full = f"{start}: {text}"
                columns.append(
                    Column(f"{prefix}_{name}", full, meaning, 0, 1, "", over, self.fractions)
                )
            better = "lower" if self.kind == "real" else "higher"
            direction = better if condition == "most" else ""
            full = f"{start}: mean probability"
            columns.append(Column(f"{prefix}_area", full, meaning, 0, 1, direction))
        if set(self.conditions) == set(CONDITIONS):
            full = f"{title}: gap to random segments"
            columns.append(Column(f"{self.prefix}_gap", full, meaning, -1, 1, "higher"))
        full = f"{title}: distance of the authentic image"
        return (*columns, Column(f"{self.prefix}_distance", full, meaning, 0, 1, ""))

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        explainer = as_explainer(explain)
        pixels = jnp.asarray(explainer.pixels(image))
        order_key, partner_key = jax.random.split(key)
        authentic, distance = self._partner(explainer.pixels, pixels, partner_key)
        before, after = (pixels, authentic) if self.kind == "real" else (authentic, pixels)
        labels, count = label_segments(image, self.partition)
        orders = [order_segments(clean.map, labels, count, o, order_key) for o in self.conditions]
        segments = (orders[0][1] > 0).sum(dtype=jnp.int32)
        shares = jnp.asarray(self.fractions, jnp.float32)
        numbers = jnp.rint(shares * segments.astype(jnp.float32)).astype(jnp.int32)

        def evaluate(step: tuple[Array, Array]) -> Values:
            places, number = step
            changed = jnp.where((places[labels] < number)[..., None], after, before)
            logits = explainer(explainer.image(changed), clean.target).logits
            flipped = jnp.argmax(logits) != jnp.argmax(clean.logits)
            return {
                "probability": jax.nn.softmax(logits)[clean.target],
                "flip": flipped.astype(jnp.float32),
                "change": jnp.abs(changed - pixels).mean(),
            }

        length = len(self.fractions)
        places = jnp.repeat(jnp.stack([places for places, _ in orders]), length, 0)
        steps = places, jnp.tile(numbers, len(orders))
        curves = scan_batches(evaluate, steps, self.chunk)
        values: Values = {}
        for i, condition in enumerate(self.conditions):
            own = {name: curve[i * length : (i + 1) * length] for name, curve in curves.items()}
            own["area"] = trapezoid_mean(own["probability"], self.fractions)
            values |= {f"{self.prefix}_{condition}_{name}": value for name, value in own.items()}
        if set(self.conditions) == set(CONDITIONS):
            most, random = (values[f"{self.prefix}_{c}_area"] for c in ("most", "random"))
            values[f"{self.prefix}_gap"] = random - most if self.kind == "real" else most - random
        values[f"{self.prefix}_distance"] = distance
        defined = is_attacked(clean, self.authentic)
        return {name: jnp.where(defined, value, jnp.nan) for name, value in values.items()}

    def _partner(self, as_pixels: Any, pixels: Array, key: PRNGKey) -> tuple[Array, Array]:
        """Return the authentic image as pixel values, and its distance."""
        if self.references is None:
            raise InputError(f"RealRegions has no references: {REFERENCES.remedy}")
        references = jnp.asarray(self.references, pixels.dtype)
        if references.shape[1:] != pixels.shape:
            raise InputError(
                f"references have the shape {references.shape} and the image {pixels.shape}: "
                f"give {('n', *pixels.shape)}, as model.preprocess returns images"
            )

        def difference(reference: Array) -> Array:
            return ((as_pixels(reference) - pixels) ** 2).mean()

        differences = jax.lax.map(difference, references)
        index = jnp.argmin(differences)
        if self.partner == "random":
            index = jax.random.randint(key, (), 0, len(references))
        return as_pixels(references[index]), jnp.sqrt(differences[index])
