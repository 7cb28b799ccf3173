"""What the engine guarantees: a row depends on its image alone, and no row is lost."""

import json
import os
import subprocess
import sys
import textwrap
from dataclasses import dataclass, replace
from math import log2

import jax
import numpy as np
import pytest
from PIL import Image

import salix
from salix.adapters import from_function
from salix.attribution import CAM, GradCAM, Gradient, IntegratedGradients, SmoothGrad
from salix.data import Arrays, Folder
from salix.engine import run as engine_run
from salix.engine import step as engine_step
from salix.engine.classification import Classification
from salix.engine.program import abstract_arguments, compile_step, cost, micro_batch
from salix.measures import Noise, RelevanceMass
from salix.metrics import scale, to_8_bit
from salix.metrics.resizing import shrink
from salix.model import Model
from salix.preprocess import Preprocess
from salix.scores import logit, margin, probability
from salix.typing import Column, InputError

SCALARS = ["score", "histogram_entropy", "spatial_entropy", "gini"]


def test_rows_equal_an_independent_computation(tiny, pictures, tmp_path):
    model, params = tiny
    run = salix.sweep(model, params, pictures, out=tmp_path / "run", batch_size=5)
    rows = run.rows
    assert rows["id"].tolist() == list(pictures.ids)
    assert rows["label"].tolist() == [i % 2 for i in range(23)]
    kernel, bias = (np.asarray(params["linear"][k][...], np.float64) for k in ("kernel", "bias"))
    for i in range(23):
        x = np.asarray(model.preprocess(pictures.images[i]))
        features = np.asarray(model.features(params, x), np.float64)
        logits = features.mean((0, 1)) @ kernel + bias
        np.testing.assert_allclose(rows["logits"][i], logits, rtol=1e-4, atol=1e-5)
        target = int(np.argmax(logits))
        assert rows["predicted"][i] == rows["target"][i] == target
        assert rows["score"][i] == pytest.approx(logits[target], rel=1e-4, abs=1e-5)
        map = np.maximum(features @ kernel[:, target] / 64, 0)
        assert bool(rows["constant_map"][i]) == (map.max() == map.min())
        if rows["constant_map"][i]:
            assert np.isnan(rows["spatial_entropy"][i])
            assert not rows["map"][i].any()
            continue
        unit = (map - map.min()) / (map.max() - map.min())
        assert np.abs(rows["map"][i].astype(int) - np.floor(unit * 255)).max() <= 1
        p = unit[unit > 0] / unit.sum()
        assert rows["spatial_entropy"][i] == pytest.approx(-(p * np.log2(p)).sum() / 6, rel=1e-4)
        counts = np.unique(rows["map"][i], return_counts=True)[1] / 64
        expected = -(counts * np.log2(counts)).sum() / log2(64)
        assert rows["histogram_entropy"][i] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    "method",
    [
        GradCAM(),
        IntegratedGradients(steps=4),
        pytest.param(SmoothGrad(samples=3), marks=pytest.mark.slow),
    ],
    ids=repr,
)
@pytest.mark.slow
def test_rows_do_not_depend_on_the_batch_size(tiny, pictures, tmp_path, method):
    found = [
        salix.sweep(*tiny, pictures, method, out=tmp_path / str(size), batch_size=size)
        for size in (1, 7, 64)
    ]
    rows = [run.rows for run in found]
    for column in [*SCALARS, "logits"]:
        for other in rows[1:]:
            np.testing.assert_allclose(other[column], rows[0][column], rtol=1e-5, atol=1e-5)
    assert same(found[0], found[1])  # on the CPU even to the last bit
    assert same(found[0], found[2])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cifar_resnet8", "resnet18"])
def test_rows_of_a_resnet_are_equal_to_the_bit_for_every_batch_size(name, tmp_path):
    model, params = salix.load(name)
    pixels = np.random.default_rng(0).integers(0, 256, (20, *model.preprocess.size, 3), np.uint8)
    runs = [
        salix.sweep(model, params, pixels, out=tmp_path / f"{size}", batch_size=size, name=name)
        for size in (4, 11, 32)
    ]
    assert [run.manifest["config"]["batch_size"] for run in runs] == [8, 16, 32]
    assert same(runs[0], runs[2])
    assert same(runs[1], runs[2])
    order = np.random.default_rng(1).permutation(20)
    ids = runs[2].rows["id"]
    other = Arrays(pixels[order], keys=[ids[i] for i in order])
    rows = salix.sweep(model, params, other, out=tmp_path / "other").rows
    np.testing.assert_allclose(rows["logits"], runs[2].rows["logits"][order], rtol=1e-4, atol=1e-4)
    pixels_apart = rows["map"].astype(int) - runs[2].rows["map"][order]
    assert np.abs(pixels_apart).max() <= 1


def same(a, b):
    """Whether two runs have equal rows to the last bit; an undefined number equals itself."""
    return repr(a.table.to_pylist()) == repr(b.table.to_pylist())


@pytest.mark.parametrize("size", [1, 4, 7, 8, 12])
def test_an_example_has_the_same_slot_for_every_batch_size(tiny, pictures, tmp_path, size):
    slots = {}

    def place(self, batch, hashes, first):
        assert first == 0
        slots.update({index: slot % 8 for slot, index in enumerate(batch.indices)})
        raise RuntimeError("seen")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(engine_step.Step, "__call__", place)
        patch.setattr(engine_step, "compile_traced", lambda traced: None)
        patch.setattr(engine_run, "cost", lambda compiled: {})
        with pytest.raises(RuntimeError, match="seen"):
            salix.sweep(*tiny, pictures, CAM(), out=tmp_path / "run", batch_size=size)
    assert slots
    assert all(slot == index % 8 for index, slot in slots.items())


def test_large_images_go_one_by_one_on_the_cpu(tiny):
    large = Model(len, len, preprocess=Preprocess((1024, 512)))
    assert micro_batch(Classification(tiny[0], CAM()), 64) == 8
    assert micro_batch(Classification(large, CAM(), reference_masks=True), 64) == 1


@pytest.mark.slow
def test_rows_do_not_depend_on_the_order_or_the_company(tiny, pictures, tmp_path):
    order = np.random.default_rng(1).permutation(23)[:11]
    some = Arrays(pictures.images[order], keys=[pictures.ids[i] for i in order])
    method = SmoothGrad(samples=3)  # its noise must follow the image, not the slot
    every = salix.sweep(*tiny, pictures, method, out=tmp_path / "all", batch_size=4).rows
    part = salix.sweep(*tiny, some, method, out=tmp_path / "some", batch_size=4).rows
    for column in SCALARS:
        np.testing.assert_allclose(part[column], every[column][order], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_seeds_differ_for_random_methods(tiny, pictures, tmp_path):
    method = SmoothGrad(samples=2, noise=0.5)
    a, b = (
        salix.sweep(*tiny, pictures, method, out=tmp_path / str(s), seed=s).rows["gini"]
        for s in (0, 1)
    )
    assert (a != b).all()


def test_resume_does_only_what_is_missing(tiny, pictures, tmp_path):
    whole = salix.sweep(*tiny, pictures, out=tmp_path / "whole", batch_size=3)
    broken = Failing(pictures, at=13)
    with pytest.raises(RuntimeError, match="power cut"):
        salix.sweep(*tiny, broken, out=tmp_path / "run", batch_size=3, workers=1)
    kept = salix.store.Run(tmp_path / "run")
    assert 0 < len(kept.table) < 23
    assert not kept.complete
    counted = Failing(pictures, at=-1)
    run = salix.sweep(*tiny, counted, out=tmp_path / "run", batch_size=3)
    assert counted.read_indices == set(range(len(kept.table), 23))
    assert run.complete
    assert same(run, whole)


class Failing:
    """A source that fails once it comes to one image, and remembers what was read."""

    has_reference_masks = False

    def __init__(self, source, at):
        self.source, self.at, self.read_indices = source, at, set()
        self.ids, self.labels, self.groups = source.ids, source.labels, source.groups

    def read(self, index):
        """Read, or fail."""
        if index == self.at:
            raise RuntimeError("power cut")
        self.read_indices.add(index)
        return self.source.read(index)

    def reference_mask(self, index):
        """No reference mask."""
        return None

    def identity(self, *, full=False):
        """As the source."""
        return self.source.identity(full=full)


KILLED = """
import importlib, sys, time
import numpy as np, jax
import salix
from salix.data import Arrays
from salix.adapters import from_function
from salix.preprocess import Preprocess

importlib.import_module("salix.engine.run").FLUSH_SECONDS = 0.0
class Slow(Arrays):
    def read(self, index):
        time.sleep(SLEEP)
        return super().read(index)
images = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
apply = lambda w, x: jax.numpy.tanh(x).mean((0, 1)) @ w
model, _ = from_function(apply, preprocess=Preprocess((8, 8)))
w = jax.random.normal(jax.random.key(0), (3, 2))
salix.sweep(model, w, Slow(images), salix.attribution.Gradient(), out=sys.argv[1], batch_size=4,
            workers=1)
"""


def start(out, sleep):
    code = textwrap.dedent(KILLED).replace("SLEEP", str(sleep))
    return subprocess.Popen([sys.executable, "-c", code, str(out)])


@pytest.mark.slow
def test_rows_are_bit_identical_after_a_kill_and_a_resume(tmp_path, kill_after_first_part):
    assert start(tmp_path / "whole", 0).wait(120) == 0
    process = start(tmp_path / "killed", 0.05)
    kill_after_first_part(process, tmp_path / "killed")
    killed = salix.store.Run(tmp_path / "killed")
    assert 0 < len(killed.table) < 40
    assert start(tmp_path / "killed", 0).wait(120) == 0
    assert same(salix.store.Run(tmp_path / "killed"), salix.store.Run(tmp_path / "whole"))


@pytest.mark.slow
def test_another_configuration_is_refused_and_named(tiny, pictures, tmp_path):
    model, params = tiny
    salix.sweep(model, params, pictures, out=tmp_path / "run")
    other = jax.tree.map(lambda a: a + 1, params)
    for arguments, what in [
        ((model, params, pictures, CAM()), "attribution"),
        ((model, other, pictures), "weights"),
        ((model, params, Arrays(pictures.images[:5])), "data"),
    ]:
        with pytest.raises(InputError, match=f"another configuration.*{what}"):
            salix.sweep(*arguments, out=tmp_path / "run")
    with pytest.raises(InputError, match="seed: 0 there, 3 now"):
        salix.sweep(model, params, pictures, out=tmp_path / "run", seed=3)


def test_unreadable_images_become_skipped_rows(tiny, tmp_path):
    for name in ("a", "b", "c"):
        Image.effect_noise((40, 40), 90).convert("RGB").save(tmp_path / f"{name}.jpg")
    good = (tmp_path / "b.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(good[: len(good) // 2])
    (tmp_path / "d.png").write_bytes(b"")
    run = salix.sweep(*tiny, str(tmp_path), out=tmp_path / "out")
    assert run.rows["id"].tolist() == ["a.jpg", "c.jpg"]
    assert [s["id"] for s in run.skipped] == ["b.jpg", "d.png"]
    assert "truncated" in run.skipped[0]["skipped"]
    assert run.skipped[1]["skipped"] == "empty file"
    assert run.complete


def test_constant_map_and_infinite_are_columns(tmp_path):
    def apply(params, x):
        del params
        z = jax.numpy.sum(x) * 0
        return jax.numpy.stack([z, jax.numpy.where(x[0, 0, 0] > 0.5, jax.numpy.inf, z)])

    images = np.zeros((2, 4, 4, 3), np.uint8)
    images[1] = 255
    model, params = from_function(apply, {}, preprocess=Preprocess((4, 4)))
    rows = salix.sweep(model, params, images, Gradient(), out=tmp_path / "run").rows
    assert rows["constant_map"].tolist() == [True, True]
    assert rows["finite"].tolist() == [True, False]
    assert np.isnan(rows["gini"]).all()


def forward_flops(model: Model, params, size: int) -> float:
    """Return the FLOPs of the compiled forward pass alone."""
    to = model.preprocess
    pixels = jax.ShapeDtypeStruct((size, *to.size, to.channels), np.uint8)
    forward = jax.vmap(lambda p, x: model.logits(p, to(x)), (None, 0))
    return jax.jit(forward).lower(params, pixels).compile().cost_analysis()["flops"]


def test_the_trunk_is_computed_once():
    def trunk(w, x):
        for _ in range(4):
            x = jax.nn.relu(jax.lax.conv_general_dilated(x[None], w, (1, 1), "SAME",
                            dimension_numbers=("NHWC", "HWIO", "NHWC"))[0])  # fmt: skip
        return x

    to = Preprocess((64, 64))
    w = np.ones((3, 3, 3, 3), np.float32)
    head = lambda w, f: f.mean((0, 1))[:2] + w.sum()  # noqa: E731
    model, w = from_function(head, w, trunk=trunk, preprocess=to)
    mesh = jax.sharding.Mesh(np.array(jax.devices()[:1]), ("batch",))
    alone = forward_flops(model, w, 8)

    def step_flops(method):
        problem = Classification(model, method)
        return cost(compile_step(problem, abstract_arguments(problem, w, 8), mesh))["step_flops"]

    cam = step_flops(CAM())
    assert alone > 8 * 4 * 64 * 64 * 9 * 9 * 2 * 0.9  # the convolutions are counted
    assert cam < 1.25 * alone  # maps of 64 x 64 cells add their reductions, not another trunk
    gradient = step_flops(Gradient())
    assert 1.8 * alone < gradient < 2.3 * alone


@pytest.mark.slow
def test_devices_share_a_batch(tmp_path):
    code = f"""
import numpy as np, jax, salix
from salix.adapters import from_function
from salix.preprocess import Preprocess
assert jax.device_count() == 4
images = np.random.default_rng(0).integers(0, 256, (10, 8, 8, 3), np.uint8)
apply = lambda w, x: jax.numpy.tanh(x).mean((0, 1)) @ w
model, _ = from_function(apply, preprocess=Preprocess((8, 8)))
w = jax.random.normal(jax.random.key(0), (3, 2))
for size in (1, 4):
    out = {str(tmp_path)!r} + f"/{{size}}"
    salix.sweep(model, w, images, salix.attribution.Gradient(), out=out, batch_size=size)
"""
    flags = {"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ | flags)
    one, four = (salix.store.Run(tmp_path / s).rows for s in "14")
    for column in [*SCALARS, "logits"]:
        np.testing.assert_allclose(four[column], one[column], rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_measures_add_columns(tiny, pictures, tmp_path):
    @dataclass(frozen=True)
    class Halves:
        def __call__(self, explain, image, clean, key):
            del key
            again = explain(image[:, ::-1])
            return {"flip": clean.logits[1] - again.logits[1], "row": clean.map.mean(0)}

    mask = np.zeros((16, 16), np.uint8)
    mask[:8] = 255
    source = Arrays(pictures.images, reference_masks=[mask, *[None] * 22])
    run = salix.sweep(*tiny, source, measures=[RelevanceMass(), Halves()], out=tmp_path / "run")
    assert run.manifest["config"]["measures"][0] == "RelevanceMass()"
    maps = run.rows["map"][0].astype(float)
    assert run.rows["relevance_mass"][0] == pytest.approx(maps[:4].sum() / maps.sum(), abs=0.02)
    assert np.isnan(run.rows["relevance_mass"][1:]).all()
    assert run.rows["flip"].shape == (23,)
    np.testing.assert_allclose(run.rows["row"][0], maps.mean(0) / 255, atol=1 / 255)


@pytest.mark.slow
@pytest.mark.parametrize("score", [logit(1), probability(0), margin(1), probability()], ids=repr)
def test_the_score_is_what_is_asked_for(tiny, pictures, tmp_path, score):
    rows = salix.sweep(*tiny, pictures, out=tmp_path / "run", score=score).rows
    for i in range(23):
        assert rows["score"][i] == pytest.approx(float(score(rows["logits"][i])), rel=1e-4)
        asked = score.target
        assert rows["target"][i] == (rows["predicted"][i] if asked is None else asked)


def test_bad_input_stops_before_any_work(tiny, pictures, tmp_path):
    model, params = tiny
    out = tmp_path / "run"
    for arguments, options, message in [
        ((model, params, Arrays(pictures.images, names=["cat"] * 23)), {}, "labels cat are not"),
        ((model, params, str(tmp_path / "none")), {}, "not a folder"),
        ((model, params, pictures), {"batch_size": 0}, "batch_size is 0"),
        ((model, params, pictures), {"score": logit(5)}, "no such class among 2"),
        ((replace(model, classes=("a", "b", "c")), params,
          Arrays(pictures.images)), {}, "2 outputs for 3 classes"),
    ]:  # fmt: skip
        with pytest.raises(InputError, match=message):
            salix.sweep(*arguments, out=out, **options)
    assert not out.exists()


def test_kept_pictures_are_shared_out_among_classes(tiny, pictures, tmp_path):
    run = salix.sweep(*tiny, pictures, out=tmp_path / "run", thumbs=6)
    kept = [i for i, t in enumerate(run.rows["thumb"]) if t is not None]
    assert sorted(run.rows["label"][kept].tolist()) == [0, 0, 0, 1, 1, 1]


def test_scale_is_by_the_map_s_own_range():
    scaled, constant_map = scale(np.array([[-2.0, 0.0], [1.0, 2.0]], np.float32))
    np.testing.assert_allclose(scaled, [[0, 0.5], [0.75, 1]])
    assert not constant_map
    assert to_8_bit(scaled).tolist() == [[0, 127], [191, 255]]
    big = np.array([-3e38, 3e38], np.float32)
    np.testing.assert_allclose(scale(big)[0], [0, 1])
    for constant in (np.zeros(4, np.float32), np.full(4, np.nan, np.float32)):
        assert scale(constant)[1]


def test_large_maps_are_averaged_down():
    assert shrink(np.zeros((8, 64), np.float32)).shape == (8, 64)
    checks = np.indices((128, 256)).sum(0) % 2
    small = np.asarray(shrink(checks.astype(np.float32)))
    assert small.shape == (32, 64)
    np.testing.assert_allclose(small[2:-2, 2:-2], 0.5, atol=0.02)


def test_manifest_says_what_was_done(tiny, pictures, tmp_path):
    salix.sweep(*tiny, Folderless(pictures), out=tmp_path / "run", name="a", group="g")
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert manifest["config"]["attribution"] == repr(GradCAM())
    assert [c["shape"] for c in manifest["columns"] if c["name"] == "map"] == [[8, 8]]
    assert manifest["config"]["data"]["count"] == 23
    assert {"name", "group", "device", "step_flops", "images_per_second"} <= set(manifest["about"])


class Folderless(Arrays):
    """Arrays by another name."""

    def __init__(self, arrays):
        super().__init__(arrays.images)


@pytest.mark.slow
def test_a_folder_and_its_array_give_the_same_rows(tiny, pictures, tmp_path):
    folder = tmp_path / "images"
    folder.mkdir()
    for key, image in zip(pictures.ids, pictures.images, strict=True):
        Image.fromarray(image).save(folder / f"{key}.png")
    rows = salix.sweep(*tiny, Folder(folder), out=tmp_path / "folder").rows
    same = salix.sweep(*tiny, pictures, out=tmp_path / "arrays").rows
    np.testing.assert_array_equal(rows["logits"], same["logits"])


@pytest.mark.slow
def test_the_sign_of_a_cam_is_kept(tiny, pictures, tmp_path):
    model, params = tiny
    signed = CAM()(
        model.score(params, logit(1)), model.preprocess(pictures.images[0]), jax.random.key(0)
    )
    assert signed.min() < 0 < signed.max()
    expected, _ = scale(signed[..., 0])
    for method in (CAM(), SmoothGrad(CAM(), samples=1, noise=0.0)):
        out = tmp_path / type(method).__name__
        run = salix.sweep(model, params, pictures, method, out=out, score=logit(1))
        assert run.manifest["config"]["pooling"] == "signed_sum"
        assert np.abs(run.rows["map"][0] - np.floor(expected * 255)).max() <= 1


@pytest.mark.slow
def test_measures_explain_variants_and_their_quantities_are_in_the_manifest(
    tiny, pictures, tmp_path
):
    model, params = tiny
    run = salix.sweep(model, params, pictures, measures=[Mirrored()], out=tmp_path / "run")
    assert run.columns["kept"] == Column("kept", "Kept", "About.", 0, 1, coordinates=(0.5, "x"))
    for i in range(5):
        image = model.preprocess(pictures.images[i])
        target = int(run.rows["target"][i])
        score = model.score(params, logit(target))
        map = scale(GradCAM()(score, image[:, ::-1], jax.random.key(0))[..., 0])[0]
        assert run.rows["kept"][i] == pytest.approx(float(map.mean()), abs=1e-5)
        np.testing.assert_allclose(run.rows["pixel"][i], pictures.images[i, 0, 0] / 255, atol=1e-6)


@dataclass(frozen=True)
class Mirrored:
    """The mean of the mirrored image's map, the target fixed, and the first pixel."""

    columns = (Column("kept", "Kept", "About.", 0, 1, coordinates=(0.5, "x")),)

    def __call__(self, explain, image, clean, key):
        """Measure."""
        again = explain.pixels(explain.image(explain.pixels(image)))
        map = explain(image[:, ::-1], clean.target).map
        return {"kept": map.mean(), "pixel": again[0, 0]}


@pytest.mark.slow
def test_another_baseline_of_the_same_text_is_refused(tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    model, w = salix.from_function(lambda w, x: x.mean((0, 1)) @ w, np.eye(3, 2, dtype=np.float32),
                                   preprocess=Preprocess((32, 32)))  # fmt: skip
    first, second = (np.zeros((32, 32, 3), np.float32) for _ in range(2))
    second[16, 16] = 9
    methods = [IntegratedGradients(baseline=b, steps=2) for b in (first, second)]
    assert repr(methods[0]) == repr(methods[1])  # NumPy abbreviates
    salix.sweep(model, w, images, methods[0], out=tmp_path / "run")
    with pytest.raises(InputError, match=r"another configuration.*attribution"):
        salix.sweep(model, w, images, methods[1], out=tmp_path / "run")


def lead(logits):
    """The lead of class 1: a score without a target."""
    return logits[1] - logits[0]


@pytest.mark.slow
def test_a_score_is_any_function_of_the_logits(tiny, pictures, tmp_path):
    run = salix.sweep(*tiny, pictures, CAM(), out=tmp_path / "run", score=lead)
    rows = run.rows
    np.testing.assert_allclose(rows["score"], rows["logits"] @ [-1, 1], rtol=1e-5, atol=1e-5)
    assert (rows["target"] == -1).all()
    assert run.manifest["config"]["score"] == f"{__name__}.lead"
    both = [salix.sweep(*tiny, pictures, CAM(), out=tmp_path / f"{t}", score=logit(t)).rows["map"]
            for t in (0, 1)]  # fmt: skip
    assert all((rows["map"] != other).any() for other in both)
    with pytest.raises(InputError, match=r"another configuration.*score"):
        salix.sweep(*tiny, pictures, CAM(), out=tmp_path / "run", score=lambda z: z[0] - z[1])
    again = salix.sweep(*tiny, pictures, CAM(), out=tmp_path / "run", score=lead)
    assert same(again, run)


@pytest.mark.slow
def test_measures_of_a_score_without_a_target_explain_the_same_score(tiny, pictures, tmp_path):
    run = salix.sweep(
        *tiny, pictures, CAM(), [Noise(levels=(0.0,))], out=tmp_path / "run", score=lead
    )
    alive = ~run.rows["constant_map"]
    np.testing.assert_allclose(run.rows["salt_and_pepper_similarity"][alive], 1, atol=1e-5)


@pytest.mark.slow
def test_an_attribution_is_any_function(tiny, pictures, tmp_path):
    def twice(score, image, key):
        return 2 * jax.grad(lambda x: score(x))(image)

    run = salix.sweep(*tiny, pictures, twice, out=tmp_path / "twice")
    assert run.manifest["config"]["attribution"].endswith(".<locals>.twice")
    plain = salix.sweep(*tiny, pictures, Gradient(), out=tmp_path / "plain")
    np.testing.assert_array_equal(run.rows["map"], plain.rows["map"])


@pytest.mark.slow
@pytest.mark.parametrize("maps", ["float16", "float32", None])
def test_maps_are_stored_in_the_precision_and_side_that_is_asked_for(
    tiny, pictures, tmp_path, maps
):
    usual = salix.sweep(*tiny, pictures, Gradient(), out=tmp_path / "usual").rows
    run = salix.sweep(*tiny, pictures, Gradient(), out=tmp_path / "run", maps=maps, side=10)
    rows = run.rows
    assert (run.manifest["config"]["maps"], run.manifest["config"]["side"]) == (maps, 10)
    for name in set(usual) - {"map"}:
        np.testing.assert_array_equal(rows[name], usual[name])
    if maps is None:
        assert "map" not in run.columns
    else:
        column = run.columns["map"]
        assert (column.shape, column.dtype, column.high) == ((10, 10), maps, 1)
        assert rows["map"].dtype == maps
        model, params = tiny
        for i in range(3):
            score = model.score(params, logit(int(rows["target"][i])))
            image = model.preprocess(pictures.images[i])
            map = np.abs(Gradient()(score, image, jax.random.key(0))).sum(-1)
            expected = shrink(scale(map)[0], 10)
            np.testing.assert_allclose(rows["map"][i], expected, atol=2e-3)
    with pytest.raises(InputError, match=r"another configuration.*maps: .* there, 'uint8' now"):
        salix.sweep(*tiny, pictures, Gradient(), out=tmp_path / "run", side=10)


@pytest.mark.parametrize(
    ("options", "message"), [({"side": 0}, "side is 0"), ({"maps": "int4"}, "int4")]
)
def test_maps_that_cannot_be_stored_are_refused(tiny, pictures, tmp_path, options, message):
    with pytest.raises((InputError, TypeError), match=message):  # TypeError: types are checked
        salix.sweep(*tiny, pictures, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_another_function_of_the_same_name_is_refused(pictures, tmp_path):
    def build(scale):
        return salix.from_function(
            lambda w, x: scale * x.mean((0, 1))[:2] + w, preprocess=Preprocess((16, 16))
        )[0]

    w = np.zeros(2, np.float32)
    run = salix.sweep(build(1.0), w, pictures, Gradient(), out=tmp_path / "run")
    assert same(salix.sweep(build(1.0), w, pictures, Gradient(), out=tmp_path / "run"), run)
    with pytest.raises(InputError, match=r"another configuration.*code"):
        salix.sweep(build(2.0), w, pictures, Gradient(), out=tmp_path / "run")
