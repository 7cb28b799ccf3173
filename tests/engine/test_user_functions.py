"""Functions and objects as attribution, score and measure: they resume, or are refused in words."""

import functools
import math
import operator
import threading
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.attribution import Gradient
from salix.engine import problem_run
from salix.preprocess import Preprocess
from salix.scores import logit
from salix.typing import InputError


def brightness(explain, image, clean, key):
    return {"value": image.mean()}


def scaled(explain, image, clean, key, *, by=1.0):
    return {"value": by * image.mean()}


class Plain:
    """An object with state that is opaque, private or changes."""

    def __init__(self, file):
        self.rng, self.lock, self.module = np.random.default_rng(), threading.Lock(), math
        self.file = file
        self._calls = 0
        self.itself = [self]

    def __call__(self, explain, image, clean, key):
        self._calls += 1
        return {"value": image.mean()}

    def method(self, explain, image, clean, key):
        return {"value": image.mean()}

    @staticmethod
    def static(explain, image, clean, key):
        return {"value": image.mean()}

    @classmethod
    def of_class(cls, explain, image, clean, key):
        return {"value": image.mean()}


class Unhashable:
    """An object that is equal to others and has no hash."""

    def __eq__(self, other):
        return True

    def __call__(self, explain, image, clean, key):
        return {"value": image.mean()}


@functools.wraps(brightness)
def decorated(*arguments):
    return brightness(*arguments)


def recursive(depth):
    def measure(explain, image, clean, key):
        return measure if depth < 0 else {"value": image.mean()}

    return measure


def over_opaque(file):
    rng = np.random.default_rng()

    def measure(explain, image, clean, key):
        return {"value": image.mean() + 0 * len([file, rng])}

    return measure


MEASURES = {
    "function": lambda file: brightness,
    "lambda": lambda file: lambda explain, image, clean, key: {"value": image.mean()},
    "partial": lambda file: functools.partial(scaled, by=2.0),
    "partial of an array": lambda file: functools.partial(scaled, by=np.float32(2)),
    "jitted": lambda file: jax.jit(brightness, static_argnums=0),
    "decorated": lambda file: decorated,
    "cached": lambda file: functools.wraps(brightness)(lambda *a: brightness(*a)),
    "object": Plain,
    "bound method": lambda file: Plain(file).method,
    "static method": lambda file: Plain.static,
    "class method": lambda file: Plain.of_class,
    "unhashable": lambda file: Unhashable(),
    "recursive": lambda file: recursive(1),
    "closure over a file": over_opaque,
}
METHODS = {
    "function": lambda score, image, key: jax.grad(lambda x: score(x))(image),
    "partial": functools.partial(lambda score, image, key, by: by * image, by=2.0),
    "jitted": jax.jit(lambda score, image, key: 2 * image, static_argnums=0),
}
SCORES = {
    "function": lambda logits: logits[0] - logits[1],
    "C": operator.itemgetter(1),
    "NumPy-like": jnp.max,
    "partial": functools.partial(jnp.linalg.norm, ord=1),
    "custom derivative": jax.nn.logsumexp,
}


def start(out, **options):
    pixels = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 3), np.uint8)
    model, params = salix.from_function(
        lambda p, x: jnp.tanh(x).mean((0, 1)) @ p, jnp.ones((3, 2)), preprocess=Preprocess((8, 8))
    )
    return salix.sweep(model, params, pixels, out=out, **({"attribution": Gradient()} | options))


@pytest.fixture
def without_rows(monkeypatch):
    """Runs get their manifest only."""
    monkeypatch.setattr(problem_run, "count_batches", lambda *_: 0)


QUICK = ("lambda", "object", "bound method", "unhashable", "closure over a file")


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in MEASURES]
)
def test_any_callable_is_a_measure_and_resumes(name, tmp_path, without_rows):
    configs = []
    for i in range(2):
        with (tmp_path / f"file{i}").open("w") as file:
            run = start(tmp_path / "run", measures=[MEASURES[name](file)])
        configs.append(run.manifest["config"])
    assert "0x" not in str(configs[1]["measures"])
    assert configs[0] == configs[1]


@pytest.mark.slow
@pytest.mark.parametrize("name", METHODS)
def test_any_callable_is_an_attribution_and_resumes(name, tmp_path, without_rows):
    for _ in range(2):
        run = start(tmp_path / "run", attribution=METHODS[name])
    assert "0x" not in run.manifest["config"]["attribution"]


@pytest.mark.slow
@pytest.mark.parametrize("name", SCORES)
def test_any_callable_is_a_score_and_resumes(name, tmp_path, without_rows):
    for _ in range(2):
        run = start(tmp_path / "run", score=SCORES[name])
    assert "0x" not in run.manifest["config"]["score"]


class Following:
    """A score with a target that is no dataclass."""

    target = None

    def __call__(self, logits):
        return logits[0]


@dataclass(frozen=True)
class Level:
    """A measure."""

    level: float = 1.0

    def __call__(self, explain, image, clean, key):
        """Measure."""
        return {"level": self.level * image.mean()}


def returning(value):
    def measure(explain, image, clean, key):
        return value

    return measure


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"measures": [Level]}, r"the measure Level is a class: give an object of it, Level\(…\)"),
        ({"attribution": Gradient}, "the attribution Gradient is a class: give an object of it"),
        ({"score": logit}, "the score logit is a class: give an object of it"),
        (
            {"measures": [lambda image: {}]},
            r"the measure <lambda> takes \(image\), it is called with \(explain, image, clean, key",
        ),
        ({"attribution": lambda x: x}, "give a frozen dataclass or a function that takes"),
        ({"score": lambda a, b: a}, r"called with \(logits\)"),
        ({"score": lambda z: z}, r"returns an array of shape \(2,\): return one number"),
        ({"score": lambda z: None}, "the score <lambda> returns NoneType: return one number"),
        ({"score": Following()}, "give a frozen dataclass with the field target"),
        ({"measures": [returning(1.0)]}, "the measure measure returns float: return a dictionary"),
        ({"measures": [returning([1.0])]}, "returns list: return a dictionary"),
        ({"measures": [returning({1: 1.0})]}, "returns dict: return a dictionary of numbers"),
        ({"measures": [returning({"a": "b"})]}, "returns str as 'a': return a dictionary"),
        ({"measures": [returning({"a": None})]}, "returns NoneType as 'a': return a dictionary"),
        ({"measures": [brightness, scaled]}, "brightness and scaled both write the column"),
    ],
)
def test_what_cannot_work_is_refused_before_any_work(options, message, tmp_path):
    with pytest.raises(InputError, match=message):
        start(tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()
