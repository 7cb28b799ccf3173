"""Attribution of the similarity of two inputs to pairs of their features."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from salix.hyperparameters import (
    FLAG,
    Hyperparameter,
    check_fields,
    choice,
    integer,
    number,
    optional,
)
from salix.studies.siamese.integration import PAIR_RULES, integrated_sums
from salix.typing import AnyArray, InputError

LIMIT = 512  # steps at most, where they follow from a residual
REFERENCES = ("padding", "mask", "zeros", "searched")


def _layer(value: object) -> int | str:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError
    return value


LAYER = Hyperparameter(_layer, "give the number of a layer, or the name of a stage of a network")


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class IntegratedSide:
    r"""Embeddings of an input and of its reference, and the sums G over each group.

    `residual` is $|\sum_g G_g - (e(x) - e(r))| / |e(x) - e(r)|$, the error of the rule; `steps`
    are the nodes that it took.
    """

    embedding: Float[AnyArray, " d"]
    reference: Float[AnyArray, " d"]
    sums: Float[AnyArray, "g d"]
    residual: Float[AnyArray, ""]
    steps: Int[AnyArray, ""] | int


@dataclass(frozen=True, eq=False)
class PairScores:
    """Attributions of one pair, and the terms of the identity that they satisfy.

    `matrix` [a b] sums to `score` - `a_reference` - `reference_b` + `references`, up to `residual`,
    which is the sum less these terms. All are divided by the norms, if any.
    """

    matrix: Float[AnyArray, "a b"]
    score: Float[AnyArray, ""]  # f(a, b)
    a_reference: Float[AnyArray, ""]  # f(a, r_b)
    reference_b: Float[AnyArray, ""]  # f(r_a, b)
    references: Float[AnyArray, ""]  # f(r_a, r_b)
    residual: Float[AnyArray, ""]


@dataclass(frozen=True)
class PairAttribution:
    r"""Attribution of f(a, b) = e(a) . e(b) to pairs of features of a and b.

    $A = G_a G_b^T$ with the integrated Jacobians of `salix.studies.siamese.integration`, so that
    $\sum A = f(a, b) - f(r_a, b) - f(a, r_b) + f(r_a, r_b)$ up to the error of the rule. Signed;
    A of (b, a) is the transpose.

    `layer` is the input of the encoder's layer to whose features the score is attributed, negative
    from the end. `rule` is one of `PAIR_RULES`, with `steps` nodes. With a `residual`, steps are
    doubled, to 512 at most, until each side's is smaller: see `IntegratedSide`. `reference` is
    "padding" (the sentence with each word replaced by padding), "mask" (by the mask token),
    "zeros", or "searched" (padding, moved until its embedding is about 0).

    `normalise` divides by $|e(a)|\,|e(b)|$, taken as constant: the score is the cosine. `shifted`
    explains $(e(a) - e(r_a)) \cdot (e(b) - e(r_b))$, with its own norms, for which the terms of the
    references are 0 and A sums to the score of any encoder. Raises `InputError` for unusable
    values.

    Moeller, Nikolaev and Pado (2023), EMNLP, sec. 2 and 3; (2024), EACL, sec. 2 (cosine, and
    encoders without a shift).
    """

    layer: int | str = -2
    steps: int = 20
    rule: str = "gauss_legendre"
    reference: str = "padding"
    normalise: bool = True
    shifted: bool = False
    residual: float | None = None

    def __post_init__(self) -> None:
        check_fields(
            self,
            layer=LAYER,
            rule=choice(PAIR_RULES),
            reference=choice(REFERENCES),
            normalise=FLAG,
            shifted=FLAG,
            residual=optional(number(lambda x: x > 0, remedy="give a number above 0")),
        )
        check_fields(self, steps=integer(2 if self.rule == "trapezoid" else 1, LIMIT))

    def integrate(
        self,
        head: Callable[[Array], Array],
        features: Float[AnyArray, "*space w"],
        reference: Float[AnyArray, "*space w"],
        groups: AnyArray,
        *,
        count: int,
    ) -> IntegratedSide:
        """Return the integrated sums of one input, of an encoder of its features, [d].

        `groups` numbers the group of each position below `count`, -1 for none. Not for use under
        `jax.jit` with a `residual`: the steps depend on values.
        """
        sums = jax.jit(partial(side_sums, head, count=count))
        return self.refine(lambda *rule: sums(features, reference, groups, *rule))

    def refine(self, integrate: Callable[..., IntegratedSide]) -> IntegratedSide:
        """Return `integrate(nodes, weights, steps)` at the steps that the residual asks for."""
        steps = self.steps
        while True:
            nodes, weights = (np.pad(x, (0, LIMIT - steps)) for x in PAIR_RULES[self.rule](steps))
            side = integrate(nodes, weights, steps)
            # NaN ends the search too: no number of steps mends it.
            enough = self.residual is None or not side.residual > self.residual
            if enough or 2 * steps > LIMIT:
                return side
            steps *= 2

    def combine(self, a: IntegratedSide, b: IntegratedSide) -> PairScores:
        """Return the attributions of a pair, from the sums of its sides, on the host.

        Raises `InputError` for embeddings of different lengths.
        """
        if a.embedding.shape != b.embedding.shape:
            raise InputError(
                f"embeddings of {a.embedding.shape[0]} and {b.embedding.shape[0]} numbers have no "
                "similarity: give the inputs to encoders of one size"
            )
        # Sentences have many lengths: a program for each pair of them would take longer than it.
        ends, others = (np.stack([s.embedding, s.reference]).astype(np.float64) for s in (a, b))
        if self.shifted:
            ends, others = ends - ends[1], others - others[1]
        norm = np.linalg.norm(ends[0]) * np.linalg.norm(others[0]) if self.normalise else 1.0
        matrix = np.asarray(a.sums, np.float64) @ np.asarray(b.sums, np.float64).T / norm
        (ab, ar), (rb, rr) = ends @ others.T / norm
        residual = matrix.sum() - (ab - ar - rb + rr)
        return PairScores(matrix, ab, ar, rb, rr, residual)


def side_sums(
    head: Callable[[Array], Array],
    features: AnyArray,
    reference: AnyArray,
    groups: AnyArray,
    nodes: AnyArray,
    weights: AnyArray,
    steps: Int[AnyArray, ""] | int,
    *,
    count: int,
) -> IntegratedSide:
    """Return the embeddings and the integrated sums of one side, by the first `steps` nodes."""
    ends = head(jnp.asarray(features)), head(jnp.asarray(reference))
    sums = integrated_sums(
        head, features, reference, groups, nodes, weights, count=count, steps=steps
    )
    change = ends[0] - ends[1]
    norm = jnp.linalg.norm(change)  # 0 for an input that is its reference
    residual = jnp.linalg.norm(sums.sum(0) - change) / jnp.where(norm > 0, norm, 1)
    return IntegratedSide(*ends, sums, residual, jnp.asarray(steps))


def sum_groups(
    matrix: Float[AnyArray, "a b"], rows: np.ndarray, columns: np.ndarray
) -> Float[np.ndarray, "g h"]:
    """Return the sums of a matrix over groups of rows and columns, numbered from 0.

    The total stays the same: the released code takes the mean of each block instead.
    """
    first = np.eye(rows.max() + 1)[rows]
    second = np.eye(columns.max() + 1)[columns]
    return first.T @ np.asarray(matrix, np.float64) @ second


def pairs_to_explain(matrix: Float[AnyArray, "a b"], share: float) -> int:
    """Return the smallest number of pairs whose |A| add up to a share of the sum of all |A|."""
    sizes = np.sort(np.abs(np.asarray(matrix, np.float64)).ravel())[::-1]
    sums = np.cumsum(sizes)
    return int(np.searchsorted(sums, share * sums[-1] * (1 - 1e-12))) + 1
