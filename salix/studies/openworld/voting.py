"""Global-local voting: partners of the images of a batch, and their consistency loss."""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from salix.typing import AnyArray, PRNGKey


@dataclass(frozen=True)
class Partners:
    """Partner of each image of a batch, and whether local features confirm that of an unlabelled.

    The vote of a labelled image is true: its partner has its label.
    """

    index: Int[Array, " n"]
    vote: Bool[Array, " n"]


jax.tree_util.register_dataclass(Partners, ["index", "vote"], [])


def find_partners(
    global_features: Float[AnyArray, "n d"],
    local_features: Float[AnyArray, "n parts d"],
    labels: Int[AnyArray, " n"],
    labelled: Bool[AnyArray, " n"],
    key: PRNGKey,
) -> Partners:
    r"""Return a partner of each image: one of its label, or its voted global neighbour.

    With $G_{ij}$ the cosine of the global features and
    $P_{ij} = \sum_k w_{ik} \cos(f_{ik}, f_{jk})$,
    $w_{ik} = \lVert f_{ik} \rVert / \sqrt{\sum_k \lVert f_{ik} \rVert^2}$, that of the parts:

    - the partner of a labelled image is another labelled one of its label, at random, and itself
      where it is the only one;
    - that of an unlabelled image is its nearest neighbour $j = \arg\max_{j \ne i} G_{ij}$ where
      the second largest $P_{i\cdot}$ is at least the second largest $P_{\cdot j}$, else itself.

    Labels of unlabelled images are not read. Features have no gradient here.

    Sun et al. (2023), arXiv:2309.11132, global-local voting, as in the released code: the vote
    compares row i with column j, and not $P_{ij}$ itself.
    """
    means, parts = map(jax.lax.stop_gradient, (global_features, local_features))
    count = len(means)
    own = jnp.eye(count, dtype=bool)
    near = jnp.argmax(jnp.where(own, -jnp.inf, _cosines(means)), axis=1)
    similar = part_similarity(parts)
    confirmed = _second_largest(similar) >= _second_largest(similar.T)[near]
    alike = (labels[:, None] == labels[None]) & labelled[:, None] & labelled[None] & ~own
    drawn = jnp.argmax(jnp.where(alike, jax.random.uniform(key, alike.shape), -1.0), axis=1)
    itself = jnp.arange(count)
    same_label = jnp.where(alike.any(1), drawn, itself)
    index = jnp.where(labelled, same_label, jnp.where(confirmed, near, itself))
    return Partners(index, jnp.where(labelled, True, confirmed))


def part_similarity(features: Float[AnyArray, "n parts d"]) -> Float[Array, "n n"]:
    r"""Return $P_{ij} = \sum_k w_{ik} \cos(f_{ik}, f_{jk})$; its rows have weights of their own."""
    norms = jnp.linalg.norm(features, axis=-1)
    weights = norms / jnp.maximum(jnp.linalg.norm(norms, axis=-1, keepdims=True), 1e-12)
    units = features / jnp.maximum(norms, 1e-12)[..., None]
    return jnp.einsum("ik,ikd,jkd->ij", weights, units, units)


def voting_loss(logits: Float[AnyArray, "n c"], partner: Int[AnyArray, " n"]) -> Float[Array, " n"]:
    r"""Return $-\log \langle p_i, p_{j} \rangle$ of each image and its partner j, in nats.

    p is the softmax of the logits; both have a gradient. At least 0, and 0 for two equal classes
    without doubt.
    """
    log_p = jax.nn.log_softmax(logits)
    return -jax.nn.logsumexp(log_p + log_p[partner], axis=-1)


def _cosines(x: Float[AnyArray, "n d"]) -> Float[Array, "n n"]:
    units = x / jnp.maximum(jnp.linalg.norm(x, axis=-1, keepdims=True), 1e-12)
    return jnp.asarray(units @ units.T)


def _second_largest(x: Float[AnyArray, "n n"]) -> Float[Array, " n"]:
    return jax.lax.top_k(x, 2)[0][:, 1]
