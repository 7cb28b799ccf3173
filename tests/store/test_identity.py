"""Descriptions of what decides a row: by content, equal in every process, different otherwise."""

import subprocess
import sys
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import GradCAM, IntegratedGradients, SmoothGrad
from salix.measures import Noise
from salix.scores import logit
from salix.store import describe


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


def test_functions_are_described_by_code_closure_defaults_and_data(monkeypatch):
    def one(x):
        return x + 1

    first = one

    def one(x):
        return x + 2

    assert describe(first) != describe(one)
    assert describe(shifted(1)) == describe(shifted(1))
    assert describe(shifted(1)) != describe(shifted(2))
    assert describe(shifted(large())) != describe(shifted(large(1)))
    assert describe(partial(scaled, x=1)) != describe(partial(scaled, x=2))
    assert describe(jax.jit(scaled)) == describe(scaled)
    assert describe(recursive(3)) != describe(recursive(4))
    before = describe(scaled)
    assert before.startswith(f"{__name__}.scaled#")
    monkeypatch.setattr(sys.modules[__name__], "SCALE", 3.0)
    assert describe(scaled) != before
    assert describe(jnp.tanh) != describe(jnp.sin)


def test_bound_methods_and_plain_objects_are_described_by_their_fields():
    class Held:
        def __init__(self, value):
            self.value = value
            self.self = self

        def method(self, x):
            return x + self.value

    assert describe(Held(1)) == describe(Held(1))
    assert describe(Held(1)) != describe(Held(2))
    assert describe(Held(1).method) != describe(Held(2).method)


PROGRAM = """
import numpy as np, jax.numpy as jnp
from salix import models
from salix.store import describe
from salix.attribution import IntegratedGradients
names = frozenset({"a", "b", "c", "d"})
def score(z, weights=np.arange(3.0)):
    return z[0] if "a" in {"a", "b", "c", "d"} else jnp.tanh(z[1] @ weights)
print(describe((score, names, object(), lambda x: x[names], IntegratedGradients(steps=2))))
"""


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
