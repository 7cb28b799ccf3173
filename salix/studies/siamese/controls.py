"""Controls of a pair's attributions: shuffled inputs, a random encoder, a shuffled matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool

from salix.studies.siamese.attribution import IntegratedSide, PairAttribution
from salix.studies.siamese.items import Item, ItemEncoder

CONTROLS = ("random encoder", "shuffled matrix")  # beside the encoder's own


@runtime_checkable
class ControlledEncoder(ItemEncoder, Protocol):
    """Encoder whose items can be shuffled, and whose weights can be drawn at random."""

    @property
    def shuffled(self) -> str:
        """Name of the control in which the parts of an item are in a random order."""
        ...

    def randomise(self, seed: int) -> ItemEncoder:
        """Return an encoder of the same sizes with random weights."""
        ...

    def shuffle(self, method: PairAttribution, name: str, generator: Any, /) -> IntegratedSide:
        """Return the sums of an item in a random order, put back in the order of its groups."""
        ...

    def inner(self, item: Item, /) -> Bool[np.ndarray, " g"]:
        """Return the groups that are compared: those of an item's own content."""
        ...


@dataclass(frozen=True)
class Control:
    """Mean correlation of the attributions of pairs with those of a control, and its range."""

    name: str
    mean: float
    low: float
    high: float
    score: float  # mean similarity under the control, NaN where it has none


def run_controls(
    method: PairAttribution,
    encoder: ControlledEncoder,
    pairs: Sequence[tuple[str, str]],
    *,
    seed: int = 0,
) -> list[Control]:
    """Return the controls of pairs, by Pearson's correlation of token matrices, or of parts.

    Special tokens are left out: their small attributions alone would correlate with any control.
    "shuffled words" permutes the tokens of both sentences between the special ones, and "shuffled
    patches" the 7 x 7 patches of both faces; attributions are put back in their order: what remains
    does not depend on the arrangement. "random encoder" has random weights: what remains comes from
    lengths and repeated tokens, or from the areas of parts. "shuffled matrix" permutes the rows and
    columns: it is about 0.
    """
    generator = np.random.default_rng(seed)
    random = encoder.randomise(seed)
    names = (encoder.shuffled, *CONTROLS)
    values: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    for pair in pairs:
        items = [encoder.integrate(method, name) for name in pair]
        inner = [encoder.inner(item) for item in items]
        own = _matrix(method, *(item.side for item in items))[0]
        shuffled = [encoder.shuffle(method, name, generator) for name in pair]
        drawn = [random.integrate(method, name).side for name in pair]
        orders = [inner_order(mask, generator) for mask in inner]
        permuted = own[orders[0]][:, orders[1]], float("nan")
        others = (_matrix(method, *shuffled), _matrix(method, *drawn), permuted)
        compared = np.ix_(*inner)
        for name, (matrix, score) in zip(names, others, strict=True):
            values[name].append((_correlation(own[compared], matrix[compared]), score))
    return [_summary(name, np.asarray(rows)) for name, rows in values.items()]


def inner_order(inner: Bool[np.ndarray, " g"], generator: Any) -> np.ndarray:
    """Return a random order of the groups of a mask that leaves the others in place."""
    order, places = np.arange(len(inner)), np.flatnonzero(inner)
    order[places] = generator.permutation(places)
    return order


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    """Return Pearson's correlation, NaN of one word with one, or of constant attributions."""
    if min(np.ptp(a), np.ptp(b)) == 0:
        return float("nan")
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


def _matrix(
    method: PairAttribution, a: IntegratedSide, b: IntegratedSide
) -> tuple[np.ndarray, float]:
    scores = method.combine(a, b)
    return np.asarray(scores.matrix), float(scores.score)


def _summary(name: str, rows: np.ndarray) -> Control:
    correlations = rows[np.isfinite(rows[:, 0]), 0]
    if not len(correlations):
        correlations = np.full(1, np.nan)
    low, high = float(correlations.min()), float(correlations.max())
    return Control(name, float(correlations.mean()), low, high, float(rows[:, 1].mean()))
