"""Training of detectors: losses and the loop."""

from salix.train.loop import Examples, Recipe, train
from salix.train.losses import CYBORG, LOSSES, CrossEntropy

__all__ = ["CYBORG", "LOSSES", "CrossEntropy", "Examples", "Recipe", "train"]
