"""Tabular regression as a problem: python docs/examples/tabular.py OUT."""

import sys
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np

from salix.attribution import IntegratedGradients
from salix.data import Unreadable
from salix.engine import run_problem
from salix.store import describe
from salix.typing import Column, Method

NAMES = ("area", "rooms", "age", "distance")


def predict(params, x):
    """Return the price of one house: a network of one hidden layer, [features] to a scalar."""
    return jnp.tanh(x @ params["hidden"]) @ params["out"]


@dataclass(frozen=True)
class Houses:
    """The examples: random houses, the features of every tenth of them not recorded."""

    count: int = 50
    columns: tuple[Column, ...] = ()
    ids: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "ids", tuple(f"house-{i}" for i in range(self.count)))

    def load(self, index):
        if index % 10 == 9:
            raise Unreadable("no features are recorded")
        x = np.random.default_rng(index).normal(size=len(NAMES)).astype(np.float32)
        return {"features": x, "price": np.float32(x.sum())}

    def describe(self, index, example):
        return {}

    def identity(self):
        return {"features": "standard normal, seeded by position"}


@dataclass(frozen=True)
class Regression:
    """The problem: predicted price, its error, and what each feature contributes to it."""

    method: Method
    columns = (
        Column("prediction", "Predicted price"),
        Column("error", "Absolute error", "Distance to the true price.", 0, direction="lower"),
        Column("contribution", "Contribution", axis="feature", coordinates=NAMES),
        Column("gap", "Completeness gap", "Prediction less contributions less the baseline's."),
    )

    @property
    def example(self):
        shape = jax.ShapeDtypeStruct
        return {"features": shape((len(NAMES),), np.float32), "price": shape((), np.float32)}

    def row(self, params, example, key):
        x, score = example["features"], lambda x: predict(params, x)
        contribution = self.method(score, x, key)
        return {
            "prediction": score(x),
            "error": jnp.abs(score(x) - example["price"]),
            "contribution": contribution,
            "gap": score(x) - contribution.sum() - score(jnp.zeros_like(x)),
        }

    def identity(self):
        return {
            "problem": "regression",
            "model": describe(predict),
            "method": describe(self.method),
        }


def parameters():
    """Return random parameters."""
    draw = np.random.default_rng(0).normal
    return {"hidden": draw(size=(len(NAMES), 8)).astype(np.float32) / 2,
            "out": draw(size=8).astype(np.float32)}  # fmt: skip


if __name__ == "__main__":
    problem = Regression(IntegratedGradients(steps=16))
    run = run_problem(problem, parameters(), Houses(), out=sys.argv[1], name="houses")
    print(f"mean absolute error: {run.read(['error'])['error'].mean():.3f}")
    print(f"skipped: {[row['id'] for row in run.skipped]}")
