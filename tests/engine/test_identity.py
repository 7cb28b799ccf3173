"""Identity of a run: each thing that decides a row is changed in turn and refused by its name."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx
from PIL import Image

import salix
from salix.attribution import Gradient, IntegratedGradients
from salix.data import Arrays, Folder
from salix.engine import problem_run
from salix.preprocess import Preprocess
from salix.scores import logit
from salix.typing import InputError

SIZE = (8, 8)


class Statistic(nnx.Variable):
    """A variable that is no parameter."""


class Net(nnx.Module):
    """Batch normalisation, a variable, an array beside the variables and a linear layer."""

    def __init__(self):
        rngs = nnx.Rngs(0)
        self.norm = nnx.BatchNorm(3, rngs=rngs)
        self.linear = nnx.Linear(3, 2, rngs=rngs)
        self.shift = Statistic(jnp.zeros((1, 1, 1, 3)))
        self.power = 1.0

    def __call__(self, x):
        x = self.norm(x) + self.shift.get_value()
        return self.linear(jnp.tanh(self.power * x).mean((1, 2)))


def network(change=None):
    """Return a model of `Net` and its parameters, after a change of the module."""
    module = Net()
    if change is not None:
        change(module)
    return salix.from_nnx(module, preprocess=Preprocess(SIZE))


def set_statistic(module):
    module.norm.mean.set_value(jnp.full(3, 0.1))


def set_variable(module):
    module.shift.set_value(jnp.full((1, 1, 1, 3), 0.1))


def set_attribute(module):
    module.power = 1.1


LEVEL = 2.0


@dataclass(frozen=True)
class Brightness:
    """A measure with a field, and a global variable and an array that its code uses."""

    scale: float = 1.0

    def __call__(self, explain, image, clean, key):
        """Measure."""
        return {"brightness": LEVEL * self.scale * image.mean()}


class Plain:
    """A measure that is a plain object."""

    def __init__(self, level=1.0):
        self.level = level

    def __call__(self, explain, image, clean, key):
        return {"plain": self.level * image.mean()}


def weighted(by):
    """Return a score that closes over a number or an array."""

    def gap(logits):
        return logits @ jnp.broadcast_to(jnp.asarray(by, jnp.float32), (2,))

    return gap


def counted(by):
    """Return a measure that calls a function of the host."""

    def on_host(x):
        return np.float32(by) * np.asarray(x)

    def measure(explain, image, clean, key):
        shape = jax.ShapeDtypeStruct((), np.float32)
        return {"host": jax.pure_callback(on_host, shape, image.mean(), vmap_method="expand_dims")}

    return measure


def images(change=0):
    pixels = np.random.default_rng(0).integers(0, 256, (5, *SIZE, 3), np.uint8)
    pixels[3, 7, 7, 2] ^= change
    return pixels


def masks(value=0):
    mask = np.full(SIZE, 255, np.uint8)
    mask[0, 0] = value
    return [mask, None, None, None, mask]


NAMES = ("real", "fake", "real", "fake", None)
BASE = {
    "network": network,
    "source": partial(Arrays, names=NAMES, reference_masks=masks()),
    "images": images(),
    "method": Gradient(),
    "measures": (Brightness(), Plain()),
    "score": logit(),
}


def start(out, **changes):
    """Sweep the base configuration with changes."""
    settings = BASE | changes
    model, params = settings.pop("network")()
    to, classes = settings.pop("to", model.preprocess), settings.pop("classes", model.classes)
    model = replace(model, preprocess=to, classes=classes)
    data = settings.pop("source")(settings.pop("images"))
    method, measures = settings.pop("method"), settings.pop("measures")
    return salix.sweep(model, params, data, method, measures, out=out, **settings)


baselines = [np.zeros((*SIZE, 3), np.float32) for _ in range(2)]
baselines[1][4, 4, 1] = 1e-3
CONSTANTS = [np.array([0.0, c], np.float32) for c in (1, 2)]
# name: (changes of the first run, changes of the second, what the refusal names)
MUTATIONS = {
    "batch statistics": ({}, {"network": partial(network, set_statistic)}, "weights: the weights"),
    "variable": ({}, {"network": partial(network, set_variable)}, "program.constants: arrays that"),
    "attribute": ({}, {"network": partial(network, set_attribute)}, "program.operations: the code"),
    "pixel": ({}, {"images": images(1)}, "data.images: the content of the images differs"),
    "label": (
        {},
        {"source": partial(Arrays, names=NAMES[::-1], reference_masks=masks())},
        "data.labels: the labels differ",
    ),
    "mask": (
        {},
        {"source": partial(Arrays, names=NAMES, reference_masks=masks(9))},
        "data.reference_masks: the content of the reference masks differs",
    ),
    "ids": (
        {},
        {"source": partial(Arrays, names=NAMES, keys="abcde", reference_masks=masks())},
        "data.ids: the ids of the data or their order differ",
    ),
    "baseline": (
        {"method": IntegratedGradients(baselines[0], steps=2)},
        {"method": IntegratedGradients(baselines[1], steps=2)},
        "attribution: .IntegratedGradients",
    ),
    "steps": (
        {"method": IntegratedGradients(steps=2)},
        {"method": IntegratedGradients(steps=3)},
        "attribution: .*steps=2.* there, .*steps=3.* now",
    ),
    "field of a measure": (
        {},
        {"measures": (Brightness(2.0), Plain())},
        r"measures: .*Brightness\(scale=1.0\).* there, .*Brightness\(scale=2.0\).* now",
    ),
    "attribute of an object": (
        {},
        {"measures": (Brightness(), Plain(2.0))},
        r"measures: .*Plain\(level=1.0\).* there, .*Plain\(level=2.0\).* now",
    ),
    "number in a closure": (
        {"score": weighted(1.0)},
        {"score": weighted(2.0)},
        "program.operations: the code of the model, attribution, score or measures",
    ),
    "array in a closure": (
        {"score": weighted(CONSTANTS[0])},
        {"score": weighted(CONSTANTS[1])},
        "program.constants: arrays that the model, attribution, score or measures close over",
    ),
    "function": ({}, {"score": weighted(1.0)}, "score: 'logit.* there, .*weighted.*gap' now"),
    "function of the host": (
        {"measures": (counted(1),)},
        {"measures": (counted(2),)},
        "program.operations: the code",
    ),
    "precision": ({}, {"precision": "bfloat16"}, "precision: 'float32' there, 'bfloat16' now"),
    "maps": ({}, {"maps": "float16"}, "maps: 'uint8' there, 'float16' now"),
    "side": ({}, {"side": 4}, "side: 64 there, 4 now"),
    "seed": ({}, {"seed": 1}, "seed: 0 there, 1 now"),
    "batch size": ({}, {"batch_size": 8}, "batch_size: 32 there, 8 now"),
    "thumbs": ({}, {"thumbs": 0}, "data.thumbs: 16 there, 0 now"),
    "content": ({}, {"content": "full"}, "data.content: 'sampled' there, 'full' now"),
    "preprocess": ({}, {"to": Preprocess(SIZE, std=(0.5,) * 3)}, "preprocess: .* there"),
    "classes": ({}, {"classes": ("Real", "fake")}, r"classes: \['real', 'fake'\] there"),
}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A run of the base configuration."""
    out = tmp_path_factory.mktemp("base") / "run"
    start(out)
    return out


@pytest.fixture
def run(base, tmp_path):
    """A copy of it."""
    return shutil.copytree(base, tmp_path / "run")


QUICK = ("batch statistics", "variable", "pixel", "label", "mask", "baseline", "array in a closure")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in MUTATIONS]
)
def test_each_part_of_the_identity_is_refused_by_its_name(name, base, tmp_path, monkeypatch):
    first, second, words = MUTATIONS[name]
    out = tmp_path / "run" if first else base
    if first:
        with monkeypatch.context() as patch:  # the manifest alone is needed
            patch.setattr(problem_run, "count_batches", lambda *_: 0)
            start(out, **first)
    with pytest.raises(InputError, match=words) as error:
        start(out, **second)
    assert "use a new --out" in str(error.value)
    assert ("set it back" in str(error.value)) == (" there, " in str(error.value))


def test_an_equal_configuration_resumes(run, capsys):
    next(run.glob("part-*")).unlink()
    pixels = images()
    changes = {"network": lambda: network(), "source": BASE["source"], "images": list(pixels)}
    resumed = start(run, workers=1, progress=True, name="b", group="c", **changes)
    assert resumed.complete
    assert capsys.readouterr().err.startswith("b: 5 of 5 images")


def test_a_global_variable_of_a_measure_is_part_of_the_program(run, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "LEVEL", 3.0)
    with pytest.raises(InputError, match=r"program.operations: the code"):
        start(run)


@pytest.mark.slow
@pytest.mark.parametrize("part", ["images", "masks"])
def test_other_files_under_the_same_names_are_refused(tmp_path, part):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        for i, pixels in enumerate(images()[..., 0]):
            Image.fromarray(pixels).save(tmp_path / f"data/{folder}/{i}.png")

    def source(root):
        return lambda _: Folder(root / "images", reference_masks=root / "masks")

    start(tmp_path / "run", source=source(tmp_path / "data"))
    shutil.move(tmp_path / "data", tmp_path / "moved")
    os.utime(tmp_path / "moved/images/3.png", (0, 0))
    start(tmp_path / "run", source=source(tmp_path / "moved"), workers=1, name="b", progress=True)
    Image.fromarray(images(1)[3, ..., 2]).save(tmp_path / f"moved/{part}/3.png")
    what = {"images": "data.images", "masks": "data.reference_masks"}[part]
    with pytest.raises(InputError, match=f"{what}: the content of the"):
        start(tmp_path / "run", source=source(tmp_path / "moved"))


SCRIPT = """
import sys
import jax, jax.numpy as jnp, numpy as np
import salix
CONSTANT = np.linspace(0, 1, 3, dtype=np.float32)
NAMES = {"a", "b", "c", "d", "e"}
class Plain:
    def __init__(self): self.names, self.rng, self.calls = NAMES, np.random.default_rng(), []
    def __call__(self, explain, image, clean, key):
        noise = jax.random.normal(key, image.shape)
        return {"plain": (image + noise).mean() + len(self.names)}
def method(score, image, key): return jax.grad(lambda x: score(x))(image)
images = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3), np.uint8)
model, p = salix.from_function(lambda p, x: (jnp.tanh(x) * CONSTANT).mean((0, 1)) @ p["w"],
    {"w": jnp.ones((3, 2))}, preprocess=salix.Preprocess((8, 8)))
salix.sweep(model, p, images, method, [Plain()], score=lambda z: z[0] - z[1], out=sys.argv[1])
"""


@pytest.mark.slow
def test_another_process_in_another_folder_resumes(tmp_path):
    identities = []
    for seed, folder in (("1", "one"), ("2", "other")):
        (tmp_path / folder).mkdir(exist_ok=True)
        (tmp_path / folder / "own.py").write_text(SCRIPT)
        flags = "--xla_force_host_platform_device_count=2" if seed == "2" else ""
        environment = os.environ | {"PYTHONHASHSEED": seed, "XLA_FLAGS": flags}
        environment["PYTHONPATH"] = os.getcwd()
        command = [sys.executable, "own.py", "../run"]
        subprocess.run(command, cwd=tmp_path / folder, check=True, env=environment)
        identities.append(json.loads((tmp_path / "run" / "manifest.json").read_text())["config"])
    assert identities[0] == identities[1]


def square(x):
    return x * x


@pytest.mark.slow
def test_code_that_computes_the_same_is_the_same(tmp_path):
    def build(function):
        def apply(w, x):
            return function(x).mean((0, 1))[:2] + w

        return salix.from_function(apply, preprocess=Preprocess(SIZE))[0]

    def renamed(image):
        result = image
        return result * image  # by other instructions of Python

    w = np.zeros(2, np.float32)
    salix.sweep(build(square), w, images(), Gradient(), out=tmp_path / "run")
    salix.sweep(build(renamed), w, images(), Gradient(), out=tmp_path / "run")


def edit_manifest(run, program=None, **about):
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["about"] |= about
    if program:
        manifest["config"]["program"]["operations"] = program
    (run / "manifest.json").write_text(json.dumps(manifest))


def test_another_program_of_another_version_of_jax_is_refused_with_both_versions(run):
    edit_manifest(run, program="0" * 64, jax="0.1.2")
    with pytest.raises(InputError, match=r"with jax 0.1.2, .*go on with the former, or use a new"):
        start(run)
    edit_manifest(run, jax=jax.__version__)
    with pytest.raises(InputError, match=r"measures differs\): use a new --out") as error:
        start(run)
    assert "computed with" not in str(error.value)


@pytest.mark.slow
def test_an_equal_program_in_other_circumstances_resumes_and_says_so(run, capsys):
    edit_manifest(run, jax="0.1.2", cpus=99)
    start(run)
    assert capsys.readouterr().err == ""  # nothing is computed
    next(run.glob("part-*")).unlink()
    manifest = start(run).manifest
    line = capsys.readouterr().err
    assert f"jax 0.1.2 before, {jax.__version__} now" in line
    assert "cpus 99 before" in line
    assert manifest["about"]["resumed"][0].keys() == {"jax", "cpus"}
