"""Attention weights of a score's traced program, and the gradients of the score at them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.program.graph import Node
from salix.attribution.program.tracing import trace
from salix.attribution.program.walk import GRADIENT, Pull, in_order, propagate
from salix.attribution.token_grid import patch_grid
from salix.precision import widen
from salix.typing import Image, InputError, ScoreLike

LABEL = "attention"
SHAPING = {"broadcast_in_dim", "reshape", "transpose", "expand_dims", "squeeze", "linear"} | {
    "convert_element_type", "stop_gradient", "copy",
}  # fmt: skip
HOW_TO_LABEL = (
    "label the weights of each layer, [heads queries keys], in the model: weights = "
    'jax.ad_checkpoint.checkpoint_name(weights, "attention")'
)


class AttentionLayer(NamedTuple):
    """Weights of one layer, whose rows sum to one, and the gradients of the score at them."""

    weights: Float[Array, "heads queries keys"]
    gradients: Float[Array, "heads queries keys"]


def attention_weights(score: ScoreLike, image: Image) -> list[AttentionLayer]:
    """Return the attention weights of every layer of a score's program, first layer first.

    They are the values with the name "attention", [... queries keys], by
    `jax.ad_checkpoint.checkpoint_name`, and the softmaxes of as many queries as keys. A name may
    list other axes, "attention b k h": without q it is the row of the first token. Named values may
    stand before the division by their sum, where they are the factor of the values alone: rows are
    divided by their sums here, and gradients multiplied by them.

    Raises `InputError` for a score without attention, for several images or windows in one layer,
    and for layers of different numbers of tokens.
    """
    image = jnp.asarray(image)
    start, output = trace(score, image)
    axes = _attention_nodes(output) if isinstance(output, Node) else {}
    if not isinstance(output, Node) or not axes:
        raise InputError(f"the score has no attention weights: {HOW_TO_LABEL}")
    values: dict[Node, Any] = {}
    signals: dict[Node, Any] = {}

    def recorded(rule: Callable[..., tuple[Any, Pull]]) -> Callable[..., tuple[Any, Pull]]:
        def record(node: Node, *operands: Any) -> tuple[Any, Pull]:
            value, pull = rule(node, *operands)
            if node not in axes:
                return value, pull
            values[node] = value

            def pull_and_record(signal: Any) -> Any:
                signals[node] = signal
                return pull(signal)

            return value, pull_and_record

        return record

    propagate(output, start, image, {kind: recorded(rule) for kind, rule in GRADIENT.items()})
    layers = []
    for node, names in axes.items():
        factors = _by_head(values[node], names)
        gradients = _by_head(signals.get(node, jnp.zeros_like(values[node])), names)
        totals = factors.sum(-1, keepdims=True)
        layers.append(AttentionLayer(factors / totals, gradients * totals))
    counts = [layer.weights.shape[2] for layer in layers]
    if len(set(counts)) > 1:
        raise InputError(
            f"the layers of attention have {counts} tokens: their weights multiply only where "
            "every layer has the same tokens"
        )
    return layers


def through_layers(
    layers: Sequence[Array], step: Callable[[Array, Array], Array], space: tuple[int, ...]
) -> Float[Array, "*grid 1"]:
    """Return the relevance of the patches for the output, on their grid, by layers [queries keys].

    It starts as the row of the class token, or the mean over tokens without one, and goes back
    from the last layer to the first: `step(row, row @ layer)`.
    """
    count = layers[0].shape[1]
    extra, grid = patch_grid(count, space)
    first = jnp.zeros(count, layers[0].dtype).at[0].set(1)
    row = first if extra else jnp.full_like(first, 1 / count)
    for number, layer in reversed(list(enumerate(layers, 1))):
        if layer.shape[0] == count:
            passed = jnp.matmul(row, layer, precision="highest")
        elif layer.shape[0] == 1 and number == len(layers) and extra:
            passed = layer[0]
        else:
            raise InputError(
                f"layer {number} of {len(layers)} has attention weights of {layer.shape[0]} "
                f"queries and {count} keys: as many queries as keys are needed, or the class "
                "token's alone in the last layer"
            )
        row = step(row, passed)
    return row[extra:].reshape(*grid, 1)


def _attention_nodes(output: Node) -> dict[Node, str]:
    """Return the nodes of attention weights, first layer first, and the names of their axes."""
    nodes: dict[Node, str] = {}
    labelled = set()
    for node in in_order(output):
        label = str(node.equation.params["name"]) if node.name == "name" else ""
        if label.split(" ")[0] == LABEL:
            nodes[node] = label.removeprefix(LABEL).replace(" ", "")
            while node.name in SHAPING | {"name"}:
                node = node.operands[0]
            labelled.add(node)
        elif _is_square_softmax(node):
            nodes[node] = ""
    return {node: names for node, names in nodes.items() if node not in labelled}


def _is_square_softmax(node: Node) -> bool:
    """Return whether a node is a softmax over the last axis, as long as the one before."""
    if node.name != "div" or len(node.operands) != 2 or len(node.shape) < 2:
        return False
    powers, total = node.operands
    while total.name in SHAPING and total.operands:
        total = total.operands[0]
    if powers.name != "exp" or total.name != "reduce_sum" or total.operands != (powers,):
        return False
    last = tuple(total.equation.params["axes"]) == (len(powers.shape) - 1,)
    return last and node.shape == powers.shape and node.shape[-1] == node.shape[-2] > 1


def _by_head(values: Array, names: str) -> Float[Array, "heads queries keys"]:
    """Return values of an attention layer with the axes heads, queries and keys, in 32 bits."""
    names = names or "".join(chr(ord("A") + i) for i in range(values.ndim - 2)) + "qk"
    if len(names) != values.ndim or "k" not in names:
        raise InputError(
            f"the name of attention weights lists the axes {names!r} and they have the shape "
            f"{values.shape}: list each by a letter, q the queries and k the keys"
        )
    order = [i for i, n in enumerate(names) if n not in "qk"]
    order += [names.index(n) for n in "qk" if n in names]
    leading = [values.shape[i] for i, n in enumerate(names) if n not in "qk"]
    if sum(length > 1 for length in leading) > 1:
        raise InputError(
            f"attention weights of shape {values.shape} are those of several images or windows: "
            "one axis of heads is combined, [heads queries keys]"
        )
    queries = values.shape[names.index("q")] if "q" in names else 1
    moved = widen(values).transpose(order)
    return moved.reshape(-1, queries, values.shape[names.index("k")])
