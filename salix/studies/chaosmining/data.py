"""Symbolic data sets: a formula of a few features, among features of noise."""

import zlib
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from salix.hyperparameters import check_fields, integer, number
from salix.studies.chaosmining.formulas import Formula
from salix.typing import InputError

SPREAD = 0.33  # standard deviation of a feature, which is clipped to [-1, 1]
LEAST_ROWS = 20
TEST_SHARE = 0.2
NOT_NEGATIVE = number(lambda n: n >= 0, remedy="give a number of 0 or above")


@dataclass(frozen=True)
class NoiseSetting:
    """Conditions of a data set: features of noise, rows, and noise of the labels.

    `label_noise` is the standard deviation that is added to targets. A fifth of the rows are for
    tests. The defaults are those of the released benchmark.
    """

    noise_features: int = 100
    rows: int = 10_000
    label_noise: float = 0.01

    def __post_init__(self) -> None:
        check_fields(self, noise_features=integer(0), rows=integer(1), label_noise=NOT_NEGATIVE)
        if self.rows < LEAST_ROWS:
            raise InputError(
                f"{self.rows} rows are too few: a fifth of them are for tests, give {LEAST_ROWS} "
                "or more"
            )


@dataclass(frozen=True, eq=False)
class SymbolicSet:
    """Rows of a formula: the relevant features are the first columns, noise the others.

    `x` and `y` are for training; `test_x` are rows of their own, whose targets `test_y` are the
    formula's values without noise.
    """

    formula: Formula
    x: Float[np.ndarray, "train features"]
    y: Float[np.ndarray, " train"]
    test_x: Float[np.ndarray, "test features"]
    test_y: Float[np.ndarray, " test"]

    @property
    def relevant(self) -> int:
        """The number of relevant features."""
        return len(self.formula.variables)

    @property
    def test_features(self) -> Float[np.ndarray, "test k"]:
        """The relevant features of the test rows, in 64 bits."""
        return self.test_x[:, : self.relevant].astype(np.float64)


def symbolic_set(formula: Formula, setting: NoiseSetting, *, seed: int) -> SymbolicSet:
    r"""Return a random data set of a formula.

    Features are $N(0, 0.33^2)$ clipped to [-1, 1], relevant ones and noise alike; targets are
    $g(x) + N(0, \text{label noise}^2)$. A seed and a formula always give the same rows. Raises
    `InputError` for a formula that is constant on them, or not finite.

    Shi et al. (2024), arXiv:2406.12150, as in the released code.
    """
    rng = np.random.default_rng([seed, zlib.crc32(formula.text.encode())])
    relevant = len(formula.variables)
    shape = (setting.rows, relevant + setting.noise_features)
    features = np.clip(rng.normal(0, SPREAD, shape), -1, 1).astype(np.float32)
    values = formula(features[:, :relevant].astype(np.float64))
    _check_values(formula, values)
    targets = (values + rng.normal(0, 1, setting.rows) * setting.label_noise).astype(np.float32)
    train = setting.rows - int(setting.rows * TEST_SHARE)  # rows are in random order already
    test_y = values[train:].astype(np.float32)
    return SymbolicSet(formula, features[:train], targets[:train], features[train:], test_y)


def _check_values(formula: Formula, values: Float[np.ndarray, " rows"]) -> None:
    undefined = ~np.isfinite(values)
    if undefined.any():
        raise InputError(
            f"formula {formula.text!r} is not finite for {undefined.sum()} of {len(values)} rows: "
            "features are in [-1, 1], keep roots, logarithms and denominators positive there"
        )
    if np.ptp(values) <= 1e-6 * max(1.0, float(np.abs(values).max())):
        raise InputError(
            f"formula {formula.text!r} is constant on the data, at {values[0]:g}: no feature can "
            "be relevant, change the formula"
        )
