"""Attribution of sentence pairs: error against steps for each rule, and time against Jacobians.

    python benchmarks siamese --out benchmarks/results/siamese.json

Needs the package tokenizers; all-MiniLM-L6-v2 is fetched at first use.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from salix.data.assets import fetch
from salix.engine.problem_run import run_problem
from salix.studies.siamese import PairAttribution
from salix.studies.siamese.integration import PAIR_RULES, integrated_sums
from salix.studies.siamese.items import integrate_items
from salix.studies.siamese.pairs import similarity
from salix.studies.siamese.problem import PairExamples, SimilarityProblem, stack_items
from salix.studies.siamese.sentences import SentenceEncoder

PAIRS = (("The coffee is bad.", "This is not a good coffee."),)
STEPS, TIMED = (5, 10, 20, 50), 4  # nodes of the curve, and of timings
WORD = "coffee "


def curve(encoder: SentenceEncoder) -> list[dict[str, Any]]:
    """Return the mean |residual| of the pairs' cosine by layer, rule and steps, in float64."""
    rows = []
    for layer in (0, 2, 4):
        for rule in PAIR_RULES:
            for steps in STEPS:
                method = PairAttribution(layer=layer, steps=steps, rule=rule)
                sides = [[encoder.integrate(method, text) for text in pair] for pair in PAIRS]
                residuals = [float(similarity(method, *pair).scores.residual) for pair in sides]
                error = float(np.mean(np.abs(residuals)))
                rows.append({"layer": layer, "rule": rule, "steps": steps, "residual": error})
                print(rows[-1], flush=True)
    return rows


def seconds(function: Any, repeats: int = 3) -> float:
    """Return the shortest time of a compiled call."""
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def timings(encoder: SentenceEncoder) -> list[dict[str, Any]]:
    """Return the seconds of one sentence by layer, length and mode, 4 nodes in float32."""
    nodes, weights = PAIR_RULES["gauss_legendre"](TIMED)
    module, rows = encoder.encoder, []
    for layer, words, slow in ((0, 10, True), (4, 10, True), (4, 30, False), (4, 62, False)):
        tokens = encoder.tokenizer(WORD * words)
        count = len(tokens.ids)
        mask = np.ones((1, count), bool)
        others = np.where(tokens.special, tokens.ids, encoder.tokenizer.pad)
        x, r = (module.layer(ids[None], mask, layer)[0] for ids in (tokens.ids, others))

        def head(h: Any, mask: Any = mask, layer: int = layer) -> Any:
            return module.embed(h[None], mask, layer)[0]

        def sums(x: Any, r: Any, *, reverse: bool, head: Any = head, count: int = count) -> Any:
            groups = jnp.arange(count)
            return integrated_sums(head, x, r, groups, nodes, weights, count=count, reverse=reverse)

        row: dict[str, Any] = {"layer": layer, "tokens": count}
        row["seconds_by_tokens"] = seconds(partial(jax.jit(partial(sums, reverse=False)), x, r))
        if slow:
            row["seconds_by_outputs"] = seconds(
                partial(jax.jit(partial(sums, reverse=True)), x, r), repeats=1
            )
            row["seconds_by_rows_of_the_jacobian"] = seconds(
                partial(jax.jit(partial(jacobian_rows, head, nodes, weights)), x, r), repeats=1
            )
        rows.append(row)
        print(row, flush=True)
    return rows


def jacobian_rows(head: Any, nodes: Any, weights: Any, x: Any, r: Any) -> Any:
    """Return G from the Jacobian, one backward pass a row and node, as the released code does."""

    def one_node(total: Any, node: Any) -> Any:
        t, weight = node
        _, gradient = jax.vjp(head, r + t * (x - r))
        rows = jax.lax.map(lambda unit: gradient(unit)[0], jnp.eye(384, dtype=x.dtype))
        return total + weight * rows, None

    rule = jnp.asarray(nodes, x.dtype), jnp.asarray(weights, x.dtype)
    jacobian, _ = jax.lax.scan(one_node, jnp.zeros((384, *x.shape), x.dtype), rule)
    return jnp.einsum("knw,nw->nk", jacobian, x - r)


def pairs_timing(encoder: SentenceEncoder, count: int = 40) -> dict[str, float]:
    """Return the seconds of one sentence's sums, and of one pair from the sums of its sides."""
    method = PairAttribution()
    item = encoder.integrate(method, PAIRS[0][0])
    start = time.perf_counter()
    encoder.integrate(method, PAIRS[0][0])
    side = time.perf_counter() - start
    start = time.perf_counter()
    for _ in range(count):
        similarity(method, item, item).row()
    return {"seconds_of_a_side": side, "seconds_of_a_pair": (time.perf_counter() - start) / count}


def growth(encoder: SentenceEncoder, counts: tuple[int, ...] = (10, 20, 40, 80)) -> list[Any]:
    """Return the CPU seconds of the sums of n sentences, and of the rows of their n² pairs."""
    method, rows = PairAttribution(), []
    animals, places = ("dog", "cat", "bird", "horse"), ("house", "river", "road", "wood", "field")
    sentences = [
        f"A {a} number {i} runs to the {p}." for i in range(4) for a in animals for p in places
    ]
    for count in (counts[0], *counts):  # the first one compiles
        with TemporaryDirectory() as folder:
            names, out, start = tuple(sentences[:count]), Path(folder), time.process_time()
            items, _ = integrate_items(out / "items", method, encoder, names)
            middle = time.process_time()
            stacked = stack_items([items[name] for name in names])
            examples = PairExamples(names, {})
            run_problem(
                SimilarityProblem(method), stacked, examples, out=out / "pairs", batch_size=256
            )
            end = time.process_time()
        rows.append({"n": count, "cpu_sums": middle - start, "cpu_pairs": end - middle})
    print(*rows[1:], sep="\n", flush=True)
    return rows[1:]


def main() -> None:
    """Measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    out = parser.parse_args().out
    encoder = SentenceEncoder.load(fetch("minilm"))
    results: dict[str, Any] = {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "encoder": "all-MiniLM-L6-v2",
        "nodes of timings": TIMED,
        "timings": timings(encoder),
        "cached": pairs_timing(encoder),
        "growth": growth(encoder),
    }
    with jax.enable_x64():
        state = nnx.state(encoder.encoder)
        wide = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), state)
        nnx.update(encoder.encoder, wide)
        doubles = SentenceEncoder(encoder.encoder, encoder.tokenizer)
        results["residuals"] = curve(doubles)
    out.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
