"""Descriptions of what decides a row: by content, equal in every process, different otherwise."""

import math
import operator
import subprocess
import sys
import threading
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import GradCAM, IntegratedGradients, SmoothGrad
from salix.measures import Noise
from salix.scores import logit
from salix.store import (
    describe,
    describe_host_function,
    digest,
    digest_items,
    identity,
    weights_digest,
)


@dataclass(frozen=True, eq=False)
class Filled:
    """A configuration with an array or a function."""

    value: object
    steps: int = 4


def large(change=0.0):
    """An image whose `repr` NumPy abbreviates, different in one pixel of the middle."""
    image = np.zeros((224, 224, 3), np.float32)
    image[100, 100, 1] = change
    return image


def test_plain_configurations_read_as_their_repr():
    for value in (GradCAM(), IntegratedGradients(steps=7), SmoothGrad(GradCAM()), logit(1)):
        assert describe(value) == repr(value)
    assert describe(Noise(levels=(0.5,))) == repr(Noise(levels=(0.5,)))
    assert describe([1, (2,), {"b": None, "a": 0.5}]) == "[1, (2,), {'a': 0.5, 'b': None}]"


def test_arrays_are_described_by_their_content():
    assert repr(Filled(large())) == repr(Filled(large(1.0)))  # what is to be avoided
    assert describe(Filled(large())) == describe(Filled(large()))
    assert describe(Filled(large())) != describe(Filled(large(1.0)))
    assert describe(Filled(jnp.asarray(large()))) == describe(Filled(large()))
    kinds = [np.zeros(4, np.float32), np.zeros((2, 2), np.float32), np.zeros(4, np.int32)]
    assert len({describe(a) for a in kinds}) == 3
    assert describe(jax.random.key(0)) != describe(jax.random.key(1))


SCALE = 2.0


def scaled(x):
    return SCALE * x


def shifted(by, x=0):
    def inner(y):
        return y + by + x

    return inner


def recursive(n):
    def count(k):
        return 0 if k == n else 1 + count(k + 1)

    return count


class Level:
    """A callable object with settings, private state, and a reference to itself."""

    def __init__(self, level):
        self.level, self._calls, self.itself = level, [], self

    def __call__(self, x):
        self._calls.append(x)
        return x + self.level

    def method(self, x):
        return x * self.level


class Slotted:
    __slots__ = ("level",)

    def __init__(self, level):
        self.level = level


def test_functions_are_described_by_module_and_name():
    assert describe(scaled) == f"{__name__}.scaled"
    assert describe(jax.jit(scaled)) == describe(scaled)
    assert describe(shifted(1)) == f"{__name__}.shifted.<locals>.inner"
    assert describe(lambda x: x).endswith("<locals>.<lambda>")
    assert describe(partial(scaled, x=1)) != describe(partial(scaled, x=2))
    assert describe(jnp.tanh) != describe(jnp.sin)
    for builtin in (len, np.add, jnp.add, math.sqrt, operator.itemgetter(1), [].append):
        assert describe(builtin) == describe(builtin)
        assert "0x" not in describe(builtin)
    assert describe(operator.itemgetter(1)) != describe(operator.itemgetter(2))


def test_objects_and_their_methods_are_described_by_class_and_public_attributes():
    first = Level(1)
    text = describe(first)
    first(3.0)
    assert describe(first) == describe(Level(1)) == text == f"{__name__}.Level(itself=..., level=1)"
    assert describe(Level(2)) != text
    assert describe(first.method) == describe(Level(1).method) != describe(Level(2).method)
    assert describe(Slotted(1)) == f"{__name__}.Slotted(level=1)"
    assert describe(Level(large())) != describe(Level(large(1)))


def test_what_is_opaque_is_described_by_its_type(tmp_path):
    with (tmp_path / "file").open("w") as file:
        for value in (object(), threading.Lock(), np.random.default_rng(0), (x for x in ()), file):
            assert "0x" not in describe(value)
    assert describe(object()) == "builtins.object"
    assert describe(np.random.default_rng(0)) == describe(np.random.default_rng(1))
    assert describe(math) == "math"


def test_functions_of_the_host_are_described_by_code_closure_defaults_and_data(monkeypatch):
    def one(x):
        return x + 1

    first = one

    def one(x):
        return x + 2

    host = describe_host_function
    assert host(first) != host(one)
    assert host(shifted(1)) == host(shifted(1)) != host(shifted(2))
    assert host(shifted(large())) != host(shifted(large(1)))
    assert host(partial(shifted(1), y=1)) != host(partial(shifted(1), y=2))
    assert host(recursive(3)) != host(recursive(4))
    assert host(Level(1).method) != host(Level(2).method)
    before = host(scaled)
    assert before.startswith(f"{__name__}.scaled#")
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 3.0)
    assert host(scaled) != before


def test_weights_are_known_by_names_types_shapes_and_bytes():
    first = {"a": large(), "b": {"key": jax.random.key(0), "step": 3, "name": "x"}}
    half = jnp.zeros(3, jnp.bfloat16)
    others = [
        {"c": first["a"], "b": first["b"]},
        first | {"a": large(1)},
        first | {"a": large().astype(np.float64)},
        first | {"a": large().reshape(-1)},
        *(
            first | {"b": first["b"] | c}
            for c in ({"key": jax.random.key(1)}, {"step": 4}, {"name": "y"})
        ),
        first | {"a": half},
        first | {"a": half.at[1].set(1)},
    ]
    assert len({weights_digest(w) for w in (first, *others)}) == 1 + len(others)
    assert weights_digest(jax.tree.map(lambda a: a, first)) == weights_digest(first)
    assert weights_digest({"a": jnp.asarray(large())}) == weights_digest({"a": large()})


PROGRAM = """
import numpy as np, jax.numpy as jnp
from salix import models
from salix.store import describe, describe_host_function, weights_digest
from salix.attribution import IntegratedGradients
names = frozenset({"a", "b", "c", "d"})
def score(z, weights=np.arange(3.0)):
    return z[0] if "a" in {"a", "b", "c", "d"} else jnp.tanh(z[1] @ weights)
print(describe((score, names, object(), lambda x: x[names], IntegratedGradients(steps=2))))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["1", "2"])
def test_a_description_is_the_same_in_every_process(seed):
    texts = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": hash_seed, "PATH": "", "JAX_PLATFORMS": "cpu"},
            capture_output=True, text=True, check=True,
        ).stdout
        for hash_seed in (seed, "0")
    }  # fmt: skip
    assert len(texts) == 1
    assert " at 0x" not in texts.pop()


@pytest.mark.parametrize("count", [0, 1, 3, 4, 9])
def test_items_are_hashed_in_pieces_as_their_list(count, monkeypatch):
    monkeypatch.setattr(identity, "CHUNK", 4)
    items = [None, "ä", "b\ud800", 5, "", [1], "c", "d", "e"][:count]
    assert digest_items(iter(items)) == digest(items)
