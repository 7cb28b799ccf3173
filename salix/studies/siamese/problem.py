"""All pairs of items as a problem of the engine: one row of numbers for each pair."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.data import Unreadable
from salix.data.notes import printable
from salix.studies.siamese.attribution import PairAttribution
from salix.studies.siamese.items import Item
from salix.studies.siamese.pairs import SHARES
from salix.studies.siamese.word_classes import CLASSES
from salix.typing import Column, PRNGKey, Values

SOURCE = "Moeller, Nikolaev and Pado (2023), EMNLP"
_MEANINGS = {
    "score": ("Similarity", "f(a, b), the similarity that is explained."),
    "a_reference": ("Similarity to the reference", "f(a, r_b), of a and the reference of b."),
    "reference_b": ("Similarity of the reference", "f(r_a, b), of the reference of a and b."),
    "references": ("Similarity of references", "f(r_a, r_b), of both references."),
    "sum": ("Sum of attributions", "Sum of A: the score less the terms of the references."),
    "residual": ("Residual", "Sum of A less f(a, b) - f(a, r_b) - f(r_a, b) + f(r_a, r_b)."),
}


def columns(*, classes: bool = False) -> tuple[Column, ...]:
    """Return the description of a pair's numbers, with the shares of classes of words or not."""
    terms = tuple(Column(n, title, f"{text} {SOURCE}.") for n, (title, text) in _MEANINGS.items())
    pairs = tuple(
        Column(
            f"pairs_{100 * share:g}",
            f"Pairs with {share:.0%}",
            f"Word pairs, the strongest first, that have {share:.0%} of the sum of |A|.",
            low=1,
            dtype="int32",
        )
        for share in SHARES
    )
    shares = tuple(
        Column(
            share_column(name),
            f"Share of {name}s",
            f"Share of the sum of |A| on words that are {name}s, the mean of both sides.",
            low=0,
            high=1,
        )
        for name in CLASSES * classes
    )
    return (*terms, *pairs, *shares)


def share_column(name: str) -> str:
    """Return the column of the share of a class of words."""
    return f"share_{name.replace(' ', '_')}"


def stack_items(
    items: Sequence[Item | None], classes: Mapping[str, np.ndarray] | None = None
) -> dict[str, jax.Array]:
    """Return embeddings [n 2 d], of items and their references, and sums of words [n words d].

    Items of fewer words are padded with zeros, which have no part in any number; skipped items,
    None, are zeros too. With `classes`, those of each item's words by name: numbers [n words].
    """
    usable = [item for item in items if item is not None]
    longest = max(len(item.word_names) for item in usable)
    width = usable[0].side.embedding.shape[0]
    embeddings, sums = [], []
    for item in items:
        if item is None:
            embeddings.append(np.zeros((2, width)))
            sums.append(np.zeros((longest, width)))
            continue
        words = np.eye(len(item.word_names))[item.words].T @ np.asarray(item.side.sums)
        sums.append(np.pad(words, ((0, longest - len(words)), (0, 0))))
        embeddings.append(np.stack([item.side.embedding, item.side.reference]))
    dtype = np.asarray(usable[0].side.embedding).dtype
    params = {"embeddings": jnp.asarray(embeddings, dtype), "sums": jnp.asarray(sums, dtype)}
    if classes is not None:
        numbers = np.zeros((len(items), longest), np.int32)
        for row, item in zip(numbers, items, strict=True):
            own = [] if item is None else classes[item.name]
            row[: len(own)] = own
        params["classes"] = jnp.asarray(numbers)
    return params


@dataclass(frozen=True)
class SimilarityProblem:
    """The numbers of one pair, from the sums of its items, which are the parameters.

    An example is the numbers of two items; see `stack_items` and `ExplainedPair.row`. With
    `classes` the shares of the classes of words too.
    """

    method: PairAttribution
    classes: bool = False

    @property
    def example(self) -> Any:
        """Numbers of the two items."""
        return jax.ShapeDtypeStruct((2,), np.int32)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Description of the numbers of a pair."""
        return columns(classes=self.classes)

    def row(self, params: Any, example: Any, key: PRNGKey) -> Values:
        """Return the terms of the identity, the residual, and the pairs that explain shares."""
        del key  # deterministic
        (a, b), (left, right) = params["embeddings"][example], params["sums"][example]
        if self.method.shifted:
            a, b = a - a[1:], b - b[1:]
        norm = jnp.linalg.norm(a[0]) * jnp.linalg.norm(b[0]) if self.method.normalise else 1.0
        terms = jnp.matmul(a, b.T, precision="highest") / norm
        matrix = jnp.matmul(left, right.T, precision="highest") / norm
        (score, a_reference), (reference_b, references) = terms
        total = matrix.sum()
        sizes = jnp.abs(matrix)
        sums = jnp.cumsum(jnp.sort(sizes.ravel(), descending=True))
        counts = {
            f"pairs_{100 * share:g}": 1 + jnp.sum(sums < share * sums[-1] * (1 - 1e-6))
            for share in SHARES
        }
        shares = {}
        if self.classes:
            rows, columns = jax.nn.one_hot(params["classes"][example], len(CLASSES), dtype=a.dtype)
            halves = sizes.sum(1) @ rows + sizes.sum(0) @ columns
            values = halves / halves.sum()
            shares = {share_column(name): values[i] for i, name in enumerate(CLASSES)}
        return (
            {
                "score": score,
                "a_reference": a_reference,
                "reference_b": reference_b,
                "references": references,
                "sum": total,
                "residual": total - (score - a_reference - reference_b + references),
            }
            | {name: count.astype(jnp.int32) for name, count in counts.items()}
            | shares
        )

    def identity(self) -> dict[str, Any]:
        """Return the settings of the attribution."""
        classes = {"classes": list(CLASSES)} if self.classes else {}
        return {"attribution": asdict(self.method)} | classes


@dataclass(frozen=True)
class PairExamples:
    """All n² ordered pairs of named items, as examples of `SimilarityProblem`.

    `reasons` are those of the items that are skipped, with all of their pairs, by name.
    """

    names: tuple[str, ...]
    reasons: Mapping[str, str] = field(default_factory=dict)

    @property
    def ids(self) -> tuple[str, ...]:
        """Numbers of both items."""
        return self._ids

    @cached_property
    def _ids(self) -> tuple[str, ...]:  # the engine asks for them with every row
        count = range(len(self.names))
        return tuple(f"{i}-{j}" for i in count for j in count)

    @property
    def columns(self) -> tuple[Column, ...]:
        """Names of both items; pairs of one first item are dependent."""
        names = (Column(n, n, f"Item {n} of the pair.", dtype="string") for n in "ab")
        return (*names, Column("group", "Group", "Item a of the pair.", dtype="string"))

    def load(self, index: int) -> Any:
        """Return the numbers of the items; raises `Unreadable` where one is skipped."""
        pair = divmod(index, len(self.names))
        for name in (self.names[i] for i in pair):
            if name in self.reasons:
                raise Unreadable(printable(self.reasons[name]))
        return np.asarray(pair, np.int32)

    def describe(self, index: int, example: Any | None) -> dict[str, Any]:
        """Return the names of the items."""
        a, b = divmod(index, len(self.names))
        first, second = printable(self.names[a]), printable(self.names[b])
        return {"a": first, "b": second, "group": first}

    def identity(self) -> dict[str, Any]:
        """Return the names of all items, and of those that are skipped."""
        names, skipped = ([printable(name) for name in n] for n in (self.names, self.reasons))
        return {"items": names} | ({"skipped": skipped} if skipped else {})
