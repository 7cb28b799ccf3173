"""Planted truth: does the leaderboard rank attribution methods as known relevant pixels do?

    python benchmarks planted_truth

Three models whose relevant pixels are known. `patch` reads the brightness of one fixed patch, and
`texture` the energy of vertical stripes of red and green, wherever a square of them lies: both are
closed forms, which no other pixel changes. `trained` is a network trained to tell squares of
vertical from squares of horizontal stripes. Every image also has a distractor, a square of a bright
checkerboard, and strong noise. Methods explain test images; the truth is their localisation in the
relevant square (relevance mass, intersection over union), and the leaderboard ranks them by metrics
that do not know the square. Two negative controls, a random map and an edge detector, belong at the
bottom.

Writes for each model the ranks of the methods by each metric and by the truth, Kendall's tau of
the two (expected near 1, less where one of them ties methods that the other does not), and the
ranks of the controls; and by how much the score changes where everything but the relevant square is
replaced.
"""

import argparse
import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

import salix
from salix.adapters import from_function
from salix.analysis import Leaderboard, analyse
from salix.attribution import METHODS
from salix.data import Arrays
from salix.measures.method_text import method_text
from salix.measures.metric_text import parse_metric
from salix.model import Model
from salix.preprocess import Preprocess
from salix.scores import logit
from salix.spec import parse
from salix.stats import kendall_tau
from salix.train import CrossEntropy, Recipe, TrainingImages, train
from salix.train.recipe import AdamW
from salix.typing import Passes

HERE = Path(__file__).parent
SIDE, SQUARE, CELL = 32, 8, 4  # pixels of an image, of a square, and of a position of the trunk
PATCH = (4, 20)  # top left corner of the fixed patch
NOISE = 0.2  # standard deviation of every pixel
CLASSES = ("horizontal", "vertical")
PREPROCESS = Preprocess((SIDE, SIDE))
TRUTH = ("relevance_mass", "iou")
BLIND = ("deletion(fill='mean')", "insertion(fill='mean')")  # metrics that do not know the square
TEXTS = (
    "Gradient", "InputXGradient", "IntegratedGradients(steps=16)", "SmoothGrad(samples=16)",
    "GradCAM", "HiResCAM", "LayerCAM", "Occlusion", "FeatureAblation",
)  # fmt: skip


@dataclass(frozen=True)
class RandomMap:
    """Negative control: independent uniform values, whatever the model and the image."""

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return no pass."""
        del shape
        return Passes()

    def __call__(self, score: Any, image: Any, key: Any) -> Any:
        del score
        return jax.random.uniform(key, (*image.shape[:-1], 1))


@dataclass(frozen=True)
class EdgeDetector:
    """Negative control: gradient magnitude of the brightness of the image, whatever the model."""

    pooling: ClassVar[str] = "signed_sum"

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return no pass."""
        del shape
        return Passes()

    def __call__(self, score: Any, image: Any, key: Any) -> Any:
        del score, key
        slopes = jnp.stack(jnp.gradient(jnp.asarray(image).mean(-1)))
        return jnp.sqrt((slopes**2).sum(0))[..., None]


CONTROLS = (RandomMap(), EdgeDetector())


@dataclass(frozen=True)
class TruthImages:
    """Images, their class, and the masks of the relevant squares, [n side side]."""

    pixels: np.ndarray
    labels: np.ndarray
    masks: np.ndarray

    def source(self) -> Arrays:
        """Return the images as a source of a sweep, the squares as reference masks."""
        names = [CLASSES[i] for i in self.labels]
        return Arrays(self.pixels, names=names, reference_masks=list(255 * self.masks))


def draw_images(count: int, *, seed: int, fixed: bool, vertical: bool = False) -> TruthImages:
    """Draw images with a square of stripes and a distractor, at random places that do not overlap.

    `fixed` puts the relevant mask on the fixed patch, and the squares elsewhere; `vertical` draws
    vertical stripes only.
    """
    rng = np.random.default_rng(seed)
    pixels = 0.5 + NOISE * rng.normal(size=(count, SIDE, SIDE, 3))
    labels = np.ones(count, int) if vertical else rng.integers(0, 2, count)
    masks = np.zeros((count, SIDE, SIDE), np.uint8)
    stripes = np.where(np.arange(SQUARE) % 2, 1, -1)[None].repeat(SQUARE, 0)
    checks = stripes * stripes.T
    for image, label, mask in zip(pixels, labels, masks, strict=True):
        taken = [PATCH] if fixed else []
        while len(taken) < 2 + fixed:
            place = tuple(CELL * rng.integers(0, (SIDE - SQUARE) // CELL + 1, 2))
            if all(max(abs(a - b) for a, b in zip(place, t, strict=True)) >= SQUARE for t in taken):
                taken.append(place)
        one, two = (np.s_[y : y + SQUARE, x : x + SQUARE] for y, x in taken[fixed : fixed + 2])
        wave = 0.35 * (stripes if label else stripes.T)
        image[one] += np.stack([wave, -wave, 0 * wave], -1)
        image[two] += 0.4 * checks[..., None]
        relevant = np.s_[PATCH[0] : PATCH[0] + SQUARE, PATCH[1] : PATCH[1] + SQUARE]
        if fixed:
            image[relevant] += rng.uniform(0.1, 0.4)
        mask[relevant if fixed else one] = 1
    return TruthImages(np.rint(255 * np.clip(pixels, 0, 1)).astype(np.uint8), labels, masks)


def blocks(image: Any) -> Any:
    """Return the blocks of an image, [rows cell columns cell c]."""
    return jnp.asarray(image).reshape(SIDE // CELL, CELL, SIDE // CELL, CELL, -1)


def patch_model() -> tuple[Model, Any]:
    """Model of the brightness of the fixed patch, above that of the background."""
    y, x = (place // CELL for place in PATCH)
    where = np.zeros((SIDE // CELL, SIDE // CELL, 1), np.float32)
    where[y : y + SQUARE // CELL, x : x + SQUARE // CELL] = 1

    def trunk(where: Any, image: Any) -> Any:
        return where * jax.nn.relu(blocks(image).mean((1, 3, 4)) - 0.5)[..., None]

    return _closed("patch", trunk, where, gain=120.0, bias=1.5)


def texture_model() -> tuple[Model, Any]:
    """Model of the energy of vertical stripes of red and green in blocks of four pixels."""
    sign = np.where(np.arange(CELL) % 2, 1, -1).astype(np.float32)

    def trunk(sign: Any, image: Any) -> Any:
        colour = blocks(image)[..., 0] - blocks(image)[..., 1]
        wave = (colour * sign[None, None, None]).mean((1, 3))
        return jax.nn.relu(jnp.stack([wave, -wave], -1) - 0.3)

    return _closed("texture", trunk, sign, gain=60.0, bias=1.0)


def _closed(name: str, trunk: Any, params: Any, *, gain: float, bias: float) -> tuple[Model, Any]:
    def head(params: Any, features: Any) -> Any:
        z = gain * features.sum(-1).mean() - bias
        return jnp.stack([-z / 2, z / 2])

    return from_function(
        head, params, trunk=trunk, preprocess=PREPROCESS, classes=CLASSES, name=name
    )


class StripeNetwork(nnx.Module):
    """Three convolutions 3x3 of RGB [b 32 32 3], mean, linear layer."""

    def __init__(self, rngs: nnx.Rngs):
        shapes = ((3, 16, 1), (16, 32, 2), (32, 32, 2))
        self.layers = nnx.List([nnx.Conv(i, o, (3, 3), strides=s, rngs=rngs) for i, o, s in shapes])
        self.linear = nnx.Linear(32, len(CLASSES), rngs=rngs)

    def trunk(self, x: Any) -> Any:
        """Return features on a grid of 8 x 8."""
        for layer in self.layers:
            x = jax.nn.relu(layer(x))
        return x

    def head(self, features: Any) -> Any:
        """Return logits."""
        return self.linear(features.mean((1, 2)))

    def __call__(self, x: Any) -> Any:
        """Return logits of images."""
        return self.head(self.trunk(x))


def trained_model(*, images: int = 1500, epochs: int = 12) -> tuple[Model, Any]:
    """Train the network on stripes of both directions."""
    drawn = draw_images(images, seed=1, fixed=False)
    (result,) = train(
        lambda seed: StripeNetwork(nnx.Rngs(seed)),
        TrainingImages(drawn.pixels, drawn.labels),
        Recipe(CrossEntropy(), AdamW(3e-3, weight_decay=0.0), epochs),
        preprocess=PREPROCESS,
        classes=CLASSES,
        seeds=[0],
        name="trained",
    )
    return result.model, result.params


def outside_change(model: Model, params: Any, images: TruthImages) -> dict[str, float]:
    """Mean absolute change of the score where all but the square, or the square, is replaced."""

    @jax.jit
    def scores(pixels: Any) -> Any:
        return jax.vmap(lambda x: model.logits(params, model.preprocess(x))[1])(pixels)

    grey = np.uint8(128)
    inside = images.masks[..., None] > 0
    clean = scores(images.pixels)
    changes = {
        "outside": scores(np.where(inside, images.pixels, grey)) - clean,
        "inside": scores(np.where(inside, grey, images.pixels)) - clean,
    }
    return {name: float(jnp.abs(change).mean()) for name, change in changes.items()}


def evaluate(
    model: Model, params: Any, images: TruthImages, methods: Any, metrics: Any, out: Path
) -> Leaderboard:
    """Sweep methods and controls over images; return the leaderboard."""
    run = salix.sweep(
        model,
        params,
        images.source(),
        [*methods, *CONTROLS],
        metrics=[*metrics, *TRUTH],
        score=logit(1),
        maps=None,
        thumbs=0,
        out=out,
    )
    board = analyse([run]).leaderboard
    assert board is not None
    return board


def compare_with_truth(board: Leaderboard, metrics: Any) -> dict[str, Any]:
    """Return ranks by the truth and by each metric that does not know it, and their agreement."""
    names = [f"evaluation_{parse_metric(m).metric_name}" for m in metrics]
    by_key = {r.column.key: r for r in board.rankings}
    truth = np.mean([by_key[f"evaluation_{t}"].ranks for t in TRUTH], axis=0)
    own = {n: by_key[n].ranks for n in names if by_key[n].directed}
    overall = np.mean(list(own.values()), axis=0)
    controls = [board.methods.index(method_text(c)) for c in CONTROLS]

    def row(ranks: np.ndarray) -> dict[str, Any]:
        places = ranks.argsort().argsort()  # 0 is the best
        return {
            "ranks": dict(zip(board.methods, np.round(ranks, 2).tolist(), strict=True)),
            "tau": round(float(kendall_tau(ranks, truth)), 3),
            "controls_last": bool(set(places[controls]) == set(range(len(ranks))[-2:])),
        }

    return {"truth": row(truth), "overall": row(overall)} | {n: row(r) for n, r in own.items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--methods", nargs="+", default=TEXTS)
    parser.add_argument("--metrics", nargs="+", default=BLIND)
    parser.add_argument("--results", type=Path, default=HERE / "results" / "planted-truth.json")
    options = parser.parse_args()
    methods = [parse(text, METHODS) for text in options.methods]
    rows = {}
    for name, build in MODELS.items():
        model, params = build()
        images = draw_images(options.images, seed=0, fixed=name == "patch", vertical=True)
        with tempfile.TemporaryDirectory() as folder:
            board = evaluate(model, params, images, methods, options.metrics, Path(folder) / name)
        change = outside_change(model, params, images)
        rows[name] = {"change": change} | compare_with_truth(board, options.metrics)
        print(name, json.dumps(rows[name], indent=1))
    results = {"images": options.images, "metrics": list(options.metrics), "models": rows}
    options.results.write_text(json.dumps(results, indent=1) + "\n")


MODELS = {"patch": patch_model, "texture": texture_model, "trained": trained_model}


if __name__ == "__main__":
    main()
