"""Metrics of pytorch-grad-cam and torch-cam, run on the same model, against ours."""

import warnings
from contextlib import nullcontext
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from salix.metrics import adcc, average_drop, deletion, increase, insertion, road  # noqa: E402
from salix.perturb.inpainting import fill_from_neighbours  # noqa: E402
from salix.typing import Explainer, Explanation  # noqa: E402

# NumPy's, of tensors in pytorch-grad-cam's fill
pytestmark = pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
KEY = jax.random.key(0)
rng = np.random.default_rng(0)
IMAGE = rng.uniform(size=(20, 15, 3)).astype(np.float32)
MAP = rng.permutation(np.linspace(0, 1, 300)).reshape(20, 15).astype(np.float32)
WEIGHTS = rng.normal(size=(4, IMAGE.size)).astype(np.float32) / 12
BATCH = torch.tensor(IMAGE.transpose(2, 0, 1)[None])
CHANNELS_FIRST = WEIGHTS.reshape(4, *IMAGE.shape).transpose(0, 3, 1, 2).reshape(4, -1).copy()
TARGET = 1


def package(name):
    # torchvision, which pytorch-grad-cam imports, warns beside another build of PyTorch.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(name)


class Softmax(torch.nn.Module):
    def forward(self, x):
        return (x.flatten(1) @ torch.tensor(CHANNELS_FIRST).T).softmax(-1)


def probabilities(x):
    return jax.nn.softmax(jnp.asarray(WEIGHTS) @ jnp.asarray(x).ravel())


def score(x):
    return probabilities(x)[TARGET]


def ours(metric, map=MAP, **options):
    return jax.device_get(jax.jit(partial(metric, score, **options))(IMAGE, map, KEY))


class Extractor:
    """A map that is given, as torch-cam's metrics take them."""

    def __init__(self, map):
        self.model, self.map = Softmax(), torch.tensor(map)[None]

    def __call__(self, class_idx=None, scores=None):
        return [self.map]

    def fuse_cams(self, cams):
        return cams[0]

    _hooks_off = nullcontext


def test_the_fill_of_road():
    peer = package("pytorch_grad_cam.metrics.road").NoisyLinearImputer(noise=0)
    for share in (0.1, 0.5, 0.95):
        theirs = peer(BATCH[0], torch.tensor((share < MAP).astype(np.float32)))
        filled = jax.jit(fill_from_neighbours)(IMAGE, share >= MAP)
        np.testing.assert_allclose(filled, theirs.numpy().transpose(1, 2, 0), atol=2e-6)


def test_road_of_pytorch_grad_cam():
    """It keeps the values below a percentile, interpolated, and averages over the percentiles.

    Its noise is 0.01 in the units of the input, ours in those of the image's range.
    """
    peer = package("pytorch_grad_cam.metrics.road")
    confidence = package("pytorch_grad_cam.metrics.perturbation_confidence")
    target = package("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget(TARGET)
    percentiles = range(10, 100, 10)

    def average(removal):
        scores = []
        for percentile in percentiles:
            remove = getattr(confidence, removal)(percentile, peer.NoisyLinearImputer(noise=0))
            metric = confidence.PerturbationConfidenceMetric(remove)
            scores += [metric(BATCH, MAP[None], [target], Softmax(), return_diff=False)[0]]
        return np.array(scores)

    most, least = map(average, ("RemoveMostRelevantFirst", "RemoveLeastRelevantFirst"))
    kept = [(np.percentile(MAP, p) > MAP).sum() for p in percentiles]
    fractions = tuple(float(1 - k / MAP.size) for k in reversed(kept))
    given = {"fractions": fractions, "noise": 0}
    np.testing.assert_allclose(ours(road, **given).values[::-1], most, atol=1e-5)
    np.testing.assert_allclose(ours(road, order="least", **given).values[::-1], least, atol=1e-5)
    combined = ours(road, preset="pytorch_grad_cam", **given).values
    np.testing.assert_allclose(combined.mean(), (least - most).mean() / 2, atol=1e-5)


@pytest.mark.parametrize("map", [MAP, 1 - MAP], ids=["map", "its complement"])
def test_drop_and_increase(map):
    """pytorch-grad-cam's drop is not divided by the confidence; the paper's and torch-cam's are."""
    mine, rises = float(ours(average_drop, map)), float(ours(increase, map))
    metric = package("torchcam.metrics").ClassificationMetric(Extractor(map))
    metric.update(BATCH, TARGET)
    summary = metric.summary()
    assert summary["avg_drop"] == pytest.approx(mine, abs=1e-6)
    assert summary["conf_increase"] == rises
    peer = package("pytorch_grad_cam.metrics.cam_mult_image")
    target = package("pytorch_grad_cam.utils.model_targets").ClassifierOutputTarget(TARGET)
    given = BATCH, map[None], [target], Softmax()
    assert peer.DropInConfidence()(*given)[0] == pytest.approx(mine * float(score(IMAGE)), abs=1e-6)
    assert peer.IncreaseInConfidence()(*given)[0] == rises


def test_deletion_and_insertion_of_torch_cam():
    """Zeros, in 20 steps unless told otherwise."""
    metric = package("torchcam.metrics").DeletionInsertionMetric(Extractor(MAP), steps=20)
    metric.update(BATCH, TARGET)
    options = {"fractions": tuple(i / 20 for i in range(21)), "fill": "black"}
    summary = metric.summary()
    assert float(ours(deletion, **options).area) == pytest.approx(summary["deletion_auc"], abs=1e-6)
    inserted = float(ours(insertion, **options).area)
    assert inserted == pytest.approx(summary["insertion_auc"], abs=1e-6)
    assert abs(inserted - summary["deletion_auc"]) > 0.01


def test_coherency_and_complexity_are_the_parts_of_adcc():
    peer = package("pytorch_grad_cam.metrics.arcc")

    def contrast(x, absolute=np.abs):
        return absolute(x - 0.4).sum(-1)

    def unit(map):
        return (map - map.min()) / (map.max() - map.min())

    def explain(image, target):
        return Explanation(jnp.log(probabilities(image)), jnp.int32(TARGET), unit(contrast(image)))

    map = unit(contrast(IMAGE))
    masked = lambda input_tensor, targets: unit(  # noqa: E731
        contrast(input_tensor[0].numpy().transpose(1, 2, 0))
    )[None]
    coherency = peer.Coherency()(BATCH, map[None], [None], None, masked)[0]
    parts = coherency, 1 - peer.Complexity()(map[None])[0], 1 - float(ours(average_drop, map))
    mine = adcc(Explainer(explain), jnp.asarray(IMAGE), KEY)
    assert float(mine) == pytest.approx(3 / sum(1 / part for part in parts), rel=1e-4)
