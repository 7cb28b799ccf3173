"""Training of detectors: losses, recipes and the training loop."""

from salix.train.augment import Augment
from salix.train.examples import TrainingImages
from salix.train.loop import Trained, train
from salix.train.losses import CYBORG, LOSSES, Blend, CrossEntropy, Loss, ModelFocus, Viser
from salix.train.recipe import PAPER, PRESETS, SGD, AdamW, Recipe

__all__ = [
    "CYBORG",
    "LOSSES",
    "PAPER",
    "PRESETS",
    "SGD",
    "AdamW",
    "Augment",
    "Blend",
    "CrossEntropy",
    "Loss",
    "ModelFocus",
    "Recipe",
    "Trained",
    "TrainingImages",
    "Viser",
    "train",
]
