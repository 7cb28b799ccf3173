"""Small runs of numbers, in one range or several."""

import time
from dataclasses import dataclass

import jax
import numpy as np

from salix.data import Unreadable
from salix.engine import run_problem
from salix.typing import Column

COUNT = 44  # in six batches of eight, three ranges of two


@dataclass(frozen=True)
class Numbers:
    """Numbers as examples; one of them cannot be read."""

    columns: tuple[Column, ...] = ()
    sleep: float = 0.0
    ids = tuple(f"n{i:02d}" for i in range(COUNT))

    def load(self, index):
        """Return one number, slowly."""
        time.sleep(self.sleep)
        if index == 21:
            raise Unreadable("no number")
        return np.float32(index)

    def describe(self, index, example):
        """Return nothing."""
        return {}

    def identity(self):
        """Return nothing."""
        return {}


@dataclass(frozen=True)
class Noisy:
    """A square and noise."""

    columns: tuple[Column, ...] = (Column("square", "Square"), Column("noise", "Noise"))
    example = jax.ShapeDtypeStruct((), np.float32)

    def row(self, params, example, key):
        """Return the square times the parameter, and noise of the example's own key."""
        return {"square": example**2 * params, "noise": jax.random.normal(key, (8,))}

    def identity(self):
        """Return the name."""
        return {"problem": "noisy"}


def compute(out, range_size=16, shard=None, factor=2, data=None, **options):
    return run_problem(
        Noisy(),
        np.float32(factor),
        data or Numbers(),
        out=out,
        batch_size=8,
        workers=1,
        shard=shard,
        range_size=range_size,
        **options,
    )
