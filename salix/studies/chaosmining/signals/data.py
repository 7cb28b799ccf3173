"""Sets of labelled examples with a foreground at a known place of a background."""

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from salix.hyperparameters import check_fields, integer
from salix.typing import InputError

# Backgrounds: random (RB) or structured (SB). Positions: fixed (FP) or random (RP).
CONDITIONS = ("RBFP", "RBRP", "SBFP", "SBRP")
CLASSES = 10
LEAST_EXAMPLES = 100
MOST_TESTS = 200


@dataclass(frozen=True)
class SignalSetting:
    """Condition and number of training examples of a set.

    A tenth as many are for tests, 200 at most. `foregrounds` is the digest of foregrounds of a
    user's own, empty without them.
    """

    condition: str = "RBFP"
    examples: int = 3000
    foregrounds: str = ""

    def __post_init__(self) -> None:
        check_fields(self, examples=integer(1))
        if self.condition not in CONDITIONS:
            raise InputError(f"no condition {self.condition!r}: give {', '.join(CONDITIONS)}")
        if self.examples < LEAST_EXAMPLES:
            raise InputError(
                f"{self.examples} examples are too few to train on: give --examples "
                f"{LEAST_EXAMPLES} or more"
            )

    @property
    def structured(self) -> bool:
        """Whether the background has structure."""
        return self.condition.startswith("SB")

    @property
    def fixed(self) -> bool:
        """Whether the foreground is at one place in all examples."""
        return self.condition.endswith("FP")

    @property
    def tests(self) -> int:
        """The number of test examples."""
        return min(self.examples // 10, MOST_TESTS)

    def generator(self, kind: str, seed: int) -> np.random.Generator:
        """Return the generator of the examples of a seed."""
        return np.random.default_rng([seed, zlib.crc32(f"{kind} {self.condition}".encode())])


@dataclass(frozen=True, eq=False)
class SignalSet:
    """Examples in the units of the networks, with their classes and the places of foregrounds.

    A place is the top and left pixel of the box in an image, or the channel of a sound. The test
    examples have foregrounds and backgrounds of their own.
    """

    x: Float[np.ndarray, "train *space c"]
    y: Int[np.ndarray, " train"]
    places: Int[np.ndarray, "train p"]
    test_x: Float[np.ndarray, "test *space c"]
    test_y: Int[np.ndarray, " test"]
    test_places: Int[np.ndarray, "test p"]


def disjoint_choices(
    count: int, sizes: tuple[int, int], rng: np.random.Generator
) -> tuple[Any, Any]:
    """Return disjoint indices below `count` for training and tests.

    A fifth of the indices, at random, are for tests. Each part is repeated as often as needed, in
    random order.
    """
    order, tests = rng.permutation(count), count // 5
    train, test = np.resize(order[tests:], sizes[0]), np.resize(order[:tests], sizes[1])
    return rng.permutation(train), rng.permutation(test)
