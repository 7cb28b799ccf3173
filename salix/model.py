"""A classifier as two pure functions, a trunk and a head."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from jaxtyping import Num

from salix.preprocess import Preprocess
from salix.scores import ScoreOf, as_logits
from salix.typing import AnyArray, Features, Image, Logits, Params, Score

Tapped = Num[AnyArray, "*cells k"]  # on a grid that may differ from the features'


@dataclass(frozen=True)
class Model:
    """A classifier of images, cut into a trunk and a head that are pure functions.

    `trunk(params, image)` gives features `[*grid k]`, `head(params, features)` logits. A head with
    one output z is a binary classifier: its logits are (-z/2, z/2), so that `probability(1)` is
    sigmoid(z). Parameters are always an argument: one compiled program serves all checkpoints.

    `tap(params, image)` gives, in one pass, the features and those of which training takes the CAM,
    where these are others; on a grid of any size, with as many channels.
    """

    trunk: Callable[[Params, Any], Any]
    head: Callable[[Params, Any], Any]
    preprocess: Preprocess = Preprocess()
    classes: tuple[str, ...] = ("real", "fake")
    name: str = "model"
    tap: Callable[[Params, Any], tuple[Any, Any]] | None = None

    def features(self, params: Params, image: Image) -> Features:
        """Return the features of one preprocessed image, on the trunk's grid."""
        return self.trunk(params, image)

    def tapped(self, params: Params, image: Image) -> tuple[Features, Tapped]:
        """Return the features and those that are tapped: the features again without a `tap`."""
        if self.tap is not None:
            return self.tap(params, image)
        features = self.trunk(params, image)
        return features, features

    def classify(self, params: Params, features: Features) -> Logits:
        """Return the logits that the head gives to features."""
        return as_logits(self.head(params, features))

    def logits(self, params: Params, image: Image) -> Logits:
        """Return the logits of one preprocessed image."""
        return self.classify(params, self.trunk(params, image))

    def score(self, params: Params, of: ScoreOf) -> Score:
        """Return the score `of` the logits, as a function of the image, cut at the trunk."""
        return Score(
            head=lambda features: of(self.classify(params, features)),
            trunk=lambda image: self.trunk(params, image),
        )
