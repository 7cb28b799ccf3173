"""Published weights on real photographs and faces."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from PIL import Image

from salix import models
from salix.attribution import GradCAM
from salix.data.decode import fit
from salix.scores import logit

data = pytest.importorskip("skimage.data")


@pytest.fixture(scope="module")
def lite(asset: Callable[[str], Path]) -> Any:
    model, params = models.load("efficientnet_lite0", asset("efficientnet-lite0"))
    assert len(model.classes) == 1000
    return model, jax.jit(lambda x: jax.nn.softmax(model.logits(params, model.preprocess(x))))


# ImageNet: 967 espresso, 968 cup, 281 tabby, 282 tiger cat, 285 Egyptian cat, 657 missile,
# 744 projectile, 812 space shuttle
@pytest.mark.slow
@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "first", "chance", "among"),
    [
        ("coffee", 967, 0.94, {967, 968}),
        ("chelsea", 285, 0.38, {281, 282, 285}),
        ("rocket", 657, 0.27, {657, 744, 812}),
    ],
)
def test_lite0_classifies_photographs(
    lite: Any, name: str, first: int, chance: float, among: set[int]
) -> None:
    model, classify = lite
    p = np.asarray(classify(fit(getattr(data, name)(), model.preprocess)))
    top = np.argsort(p)[::-1][:5]
    assert top[0] == first
    assert among <= set(top.tolist())
    np.testing.assert_allclose(p[first], chance, atol=0.03)


def auc(real: np.ndarray, fake: np.ndarray) -> float:
    return float((fake[:, None] > real[None]).mean())


@pytest.mark.assets
@pytest.mark.large
def test_the_clip_detector_separates_celeba_from_dcgan(asset: Callable[[str], Path]) -> None:
    model, params = models.load("clip_vit_b16", asset("clip-detector"))
    files = sorted(asset("celeba-999").iterdir())[:40]
    z = np.random.default_rng(0).normal(size=(40, 100)).astype(np.float32)
    faces = np.asarray(models.load_dcgan(asset("dcgan"))(z))
    pictures = [Image.open(file) for file in files] + list(
        np.rint((faces + 1) * 127.5).astype(np.uint8)
    )
    fake = jax.jit(
        jax.vmap(lambda p, x: jax.nn.softmax(model.logits(p, model.preprocess(x)))[1], (None, 0))
    )
    pixels = np.stack([fit(picture, model.preprocess) for picture in pictures])
    p = np.concatenate([fake(params, part) for part in np.split(pixels, 8)])
    assert auc(p[:40], p[40:]) > 0.8
    np.testing.assert_allclose([p[:40].mean(), p[40:].mean()], [0.42, 0.68], atol=0.06)
    # the map is over patches, and positive where they are evidence for the class
    x = model.preprocess(pixels[-1])
    signed = GradCAM(relu=False)(model.score(params, logit(1)), x, jax.random.key(0))[..., 0]
    assert signed.shape == (14, 14)
    assert (signed > 0).any()
    assert (signed < 0).any()


FACE = (29, 50, 149, 190)  # in CelebA's aligned pictures


@pytest.mark.slow
@pytest.mark.assets
@pytest.mark.parametrize(
    ("name", "means", "low", "high"),
    [("liveness", (0.03, 0.20), 0.8, 1.0), ("antispoof", (0.35, 0.35), 0.3, 0.7)],
)
def test_small_face_networks_on_real_and_generated_faces(
    asset: Callable[[str], Path],
    name: str,
    means: tuple[float, float],
    low: float,
    high: float,
) -> None:
    model, params = models.load(name, asset(name))
    files = sorted(asset("celeba-999").iterdir())[:60]
    z = np.random.default_rng(0).normal(size=(60, 100)).astype(np.float32)
    faces = np.rint((np.asarray(models.load_dcgan(asset("dcgan"))(z)) + 1) * 127.5).astype(np.uint8)
    pictures = [Image.open(file).crop(FACE) for file in files] + list(faces)
    pixels = np.stack([fit(picture, model.preprocess) for picture in pictures])
    index = model.classes.index("fake")
    fake = jax.jit(
        jax.vmap(lambda x: jax.nn.softmax(model.logits(params, model.preprocess(x)))[index])
    )
    p = np.asarray(fake(pixels))
    assert low < auc(p[:60], p[60:]) < high
    np.testing.assert_allclose([p[:60].mean(), p[60:].mean()], means, atol=0.05)


@pytest.mark.assets
@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "source", "chances"),
    [
        ("nsfwjs_inception_v3", "nsfwjs-inception", (1.0, 1.0, 0.985)),
        ("nsfwjs_mobilenet_v2", "nsfwjs-mobilenet", (0.961, 0.995, 0.995)),
    ],
)
def test_photographs_are_neutral(
    asset: Callable[[str], Path], name: str, source: str, chances: tuple[float, ...]
) -> None:
    model, params = models.load(name, asset(source))
    classify = jax.jit(lambda p, x: jax.nn.softmax(model.logits(p, model.preprocess(x))))
    pictures = (data.chelsea(), data.coffee(), data.astronaut())
    actual = [classify(params, fit(picture, model.preprocess))[2] for picture in pictures]
    assert model.classes[2] == "Neutral"
    np.testing.assert_allclose(actual, chances, atol=0.01)
