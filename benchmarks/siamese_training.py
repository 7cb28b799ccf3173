"""Training of an encoder for the shifted similarity: agreement with the encoder before it.

    python benchmarks/siamese_training.py pairs.tsv --out results.json

`pairs.tsv` has two similar sentences a line, divided by a tab, the last tenth of which are held
out: the results here are of 10,000 glosses of WordNet 3.1, each with its first example. Needs the
package tokenizers; all-MiniLM-L6-v2 is fetched at first use.
"""

import argparse
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import jax
import numpy as np
from scipy.stats import rankdata

from salix.data.assets import fetch
from salix.studies.siamese import PairAttribution, attribute
from salix.studies.siamese.run import read_pairs
from salix.studies.siamese.sentences import SentenceEncoder
from salix.studies.siamese.training import (
    encode_pairs,
    shifted_cosines,
    train_shifted,
)

SHOWN = (
    ("The coffee is bad.", "This is not a good coffee."),
    ("The building is hardly pretty.", "A beautiful house."),
    ("The dog runs after the kitten.", "A cat is chased by a dog."),
    ("A man plays the guitar on stage.", "A musician performs music."),
    ("Stock prices fell sharply.", "Add two cups of flour."),
)
HELD, LENGTH = 100, 24  # pairs, and the tokens of a sentence at most


def cosines(encoder: SentenceEncoder, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Return the shifted cosines of all pairs of sentences, those of a pair beside each other."""
    sentences = encode_pairs(encoder, pairs, LENGTH)
    return np.asarray(
        shifted_cosines(encoder.encoder, sentences.ids, sentences.references, sentences.mask)
    )


def unshifted_cosines(encoder: SentenceEncoder, pairs: Sequence[tuple[str, str]]) -> np.ndarray:
    """Return the same cosines without a shift."""
    sentences = encode_pairs(encoder, pairs, LENGTH)
    embeddings = np.asarray(encoder.encoder(sentences.ids, sentences.mask), np.float64)
    embeddings = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings @ embeddings.T


def correlation(x: np.ndarray, y: np.ndarray) -> float:
    """Return Pearson's correlation."""
    return float(np.corrcoef(x, y)[0, 1])


def agreement(values: np.ndarray, targets: np.ndarray) -> dict[str, float]:
    """Return how the cosines of different sentences agree, and those of a pair alone."""
    first, second = np.triu_indices(len(values), 1)
    near = first // 2 == second // 2
    x, y = values[first, second], targets[first, second]
    return {
        "pearson": correlation(x, y),
        "spearman": correlation(rankdata(x), rankdata(y)),
        "pearson_of_pairs": correlation(x[near], y[near]),
        "mean_error": float(np.mean(np.abs(x - y))),
    }


def explained(encoder: SentenceEncoder, *, shifted: bool) -> list[dict[str, float]]:
    """Return score, sum, terms of the references and residual of the pairs above."""
    method = PairAttribution(shifted=shifted)
    names = ("score", "sum", "a_reference", "reference_b", "references", "residual")
    rows = [attribute(a, b, encoder=encoder, method=method).row() for a, b in SHOWN]
    return [{name: row[name] for name in names} for row in rows]


def main() -> None:
    """Train, measure and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pairs", type=Path)
    parser.add_argument("--steps", type=int, default=180)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    pairs = read_pairs(options.pairs)[1]
    encoder = SentenceEncoder.load(fetch("minilm"))
    cut = len(pairs) * 9 // 10
    held = pairs[cut:][:HELD]
    targets = unshifted_cosines(encoder, held)
    start = time.process_time()
    trained = train_shifted(encoder, pairs[:cut], steps=options.steps, length=LENGTH, progress=True)
    results = {
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "machine": platform.processor() or platform.machine(),
        "encoder": "all-MiniLM-L6-v2",
        "steps": options.steps,
        "pairs_of_the_file": cut,
        "held_out_pairs": len(held),
        "cpu_seconds": time.process_time() - start,
        "shifted_before": agreement(cosines(encoder, held), targets),
        "shifted_after": agreement(cosines(trained, held), targets),
        "unshifted_after": agreement(unshifted_cosines(trained, held), targets),
        "pairs": {
            "unmodified": explained(encoder, shifted=False),
            "shifted_before": explained(encoder, shifted=True),
            "shifted_after": explained(trained, shifted=True),
        },
    }
    options.out.write_text(json.dumps(results, indent=1) + "\n")
    print(json.dumps({k: v for k, v in results.items() if k != "pairs"}, indent=1))


if __name__ == "__main__":
    main()
