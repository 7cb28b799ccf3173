"""STRExp of one word against the released procedure, in passes and in seconds of CPU time.

The release explains the word and each of its characters in runs of their own, one image in a pass:
25 permutations of the segments for each of n + 1 scores. It is written here from that definition,
with the same network and the same segments; its time is extrapolated from the first passes. Salix
shares the passes among the scores, and passes several images at once. Rounds alternate.

Example: python benchmarks strexp --recogniser legere --words 3
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from salix.attribution import ShapleySampling
from salix.data.assets import fetch
from salix.models.recognisers import Recogniser, load_recogniser
from salix.perturb.partition import Patches
from salix.studies.strexp.maps import ReadWord, explain_word, score_of
from salix.studies.strexp.reading import read_images
from salix.studies.strexp.run import STRETCHED
from salix.studies.strexp.segments import COUNT, PATCH, patch_labels
from salix.studies.strexp.words import draw_words, render_word
from salix.typing import Params

PERMUTATIONS = 25
SAMPLED = 300  # passes of the release that are timed


def released_seconds(recogniser: Recogniser, params: Params, read: ReadWord) -> tuple[int, float]:
    """Return the passes of the released procedure for a word, and their seconds."""
    length = int(read.length)
    passes = (length + 1) * PERMUTATIONS * COUNT
    probabilities = jax.jit(lambda p, x: jax.nn.softmax(recogniser.logits(p, x[None])[0]))
    image, rng = np.asarray(read.image), np.random.default_rng(0)
    probabilities(params, image).block_until_ready()
    start, order = time.process_time(), rng.permutation(COUNT)
    present = np.zeros(COUNT, bool)
    for i in range(SAMPLED):
        if i % COUNT == 0:
            order, present[:] = rng.permutation(COUNT), False
        present[order[i % COUNT]] = True
        masked = np.where(present[np.asarray(read.labels)][..., None], image, np.float32(0))
        float(probabilities(params, masked).max(-1).mean())
    return passes, (time.process_time() - start) * passes / SAMPLED


def shared_seconds(recogniser: Recogniser, params: Params, read: ReadWord) -> tuple[int, Any]:
    """Return the passes of Salix for the same maps, and a function that times them."""
    method = ShapleySampling(Patches(PATCH), permutations=PERMUTATIONS, chunk=COUNT - 1)

    @jax.jit
    def explain(params: Params, read: ReadWord, key: Any) -> Any:
        score = partial(score_of, recogniser, params, read, kind="substitution")
        return explain_word(method, score, read, key)

    explain(params, read, jax.random.key(0)).block_until_ready()

    def seconds() -> float:
        start = time.process_time()
        explain(params, read, jax.random.key(1)).block_until_ready()
        return time.process_time() - start

    return method.passes((*read.labels.shape, 1)).evaluations, seconds


def main() -> None:
    """Time words, print and write a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recogniser", default="legere")
    parser.add_argument("--words", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    recogniser, params = load_recogniser(options.recogniser, fetch(options.recogniser))
    stretched = options.recogniser in STRETCHED
    words = draw_words(options.words, seed=0)
    images = [render_word(w, "plain", stretched=stretched, seed=0) for w in words]
    read = read_images(recogniser, params, images, patch_labels)
    rows = []
    for i, word in enumerate(read.words):
        one = jax.tree.map(lambda leaf, i=i: leaf[i], read.reads)
        passes, seconds = shared_seconds(recogniser, params, one)
        ours, theirs, released = [], [], 0
        for _ in range(3):
            ours.append(seconds())
            released, time_of_release = released_seconds(recogniser, params, one)
            theirs.append(time_of_release)
        row = {
            "word": word,
            "passes": passes,
            "seconds": min(ours),
            "released passes": released,
            "released seconds": min(theirs),
            "ratio": min(theirs) / min(ours),
        }
        print(json.dumps(row))
        rows.append(row)
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
