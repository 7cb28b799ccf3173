"""Image classifier as two pure functions, a trunk and a head, that may be cut at named places."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from functools import partial
from typing import Any

from jaxtyping import Num

from salix.preprocess import Preprocess
from salix.scores import ScoreOf, as_logits, resolve
from salix.typing import AnyArray, Features, Image, InputError, Logits, Params, Score, identity

Tapped = Num[AnyArray, "*tapped_grid k"]  # the grid may differ from that of the features


def image_as_features(params: Params, image: Any) -> Any:
    """Return the image: the trunk of a model without one."""
    del params
    return image


@dataclass(frozen=True)
class LoadedWeights:
    """Numbers of the arrays in a weight file that a model took, and the parameters without one.

    `ignored` arrays match a pattern of the user; those `left_out` take no part in the network, as
    the state of an optimiser. The parameters `initialised` keep the values they were drawn with.
    """

    taken: int
    ignored: int
    left_out: int
    initialised: tuple[str, ...] = ()


@dataclass(frozen=True)
class Model:
    """Image classifier: logits = head(params, trunk(params, image)).

    `trunk(params, image)` returns features `[*grid k]`, `head(params, features)` logits. A head
    with one output z is a binary classifier with logits (-z/2, z/2): `margin(1)` is z itself,
    `probability(1)` sigmoid(z), and `logit(1)` z/2, since both classes have a map. Logits of 16
    bits are widened to 32. Parameters are always an argument: one compiled program serves all
    checkpoints.

    `cuts` names the places, from input to output, where `at` can divide trunk and head; both
    functions then take `cut=`. `cut` is the current place, None the architecture's default.

    `tap(params, image)` returns, in one pass, the features and the features of the CAM that
    training uses, where the two differ; on a grid of any size, with equally many channels.

    `inplace_relu`: the published network applies the ReLU that ends its trunk in place, so that
    hooks record features after it and gradients before it, as `GradCAM(before_relu=True)` does.
    """

    trunk: Callable[..., Any]
    head: Callable[..., Any]
    _: KW_ONLY
    preprocess: Preprocess = Preprocess()
    classes: tuple[str, ...] = ("real", "fake")
    name: str = "model"
    tap: Callable[[Params, Any], tuple[Any, Any]] | None = None
    cuts: tuple[str, ...] = ()
    cut: str | None = None
    inplace_relu: bool = False
    chosen: str | None = None  # the network of the weight file, by its prefix there
    weights: LoadedWeights | None = None  # None without a weight file

    def at(self, cut: str) -> "Model":
        """Return this model with trunk and head divided at the place `cut`: the same logits.

        The result has no `tap`, which belongs to the default place. Raises InputError for a name
        that is not in `cuts`.
        """
        if cut not in self.cuts:
            known = f"choose one of {', '.join(self.cuts)}" if self.cuts else "it names no cuts"
            raise InputError(f"{self.name} has no cut {cut!r}: {known}")
        trunk, head = partial(self.trunk, cut=cut), partial(self.head, cut=cut)
        inplace = self.inplace_relu and cut == self.cuts[-1]
        return replace(self, trunk=trunk, head=head, tap=None, cut=cut, inplace_relu=inplace)

    @property
    def divided(self) -> bool:
        """Whether the model has a trunk, whose features CAM methods read."""
        return self.trunk is not image_as_features

    def features(self, params: Params, image: Image) -> Features:
        """Return the features of one preprocessed image, on the trunk's grid."""
        return self.trunk(params, image)

    def tapped(self, params: Params, image: Image) -> tuple[Features, Tapped]:
        """Return the features and the tapped features; without a `tap` both are the same."""
        if self.tap is not None:
            return self.tap(params, image)
        features = self.trunk(params, image)
        return features, features

    def classify(self, params: Params, features: Features) -> Logits:
        """Return the logits that the head computes from features."""
        return as_logits(self.head(params, features))

    def logits(self, params: Params, image: Image) -> Logits:
        """Return the logits of one preprocessed image."""
        return self.classify(params, self.trunk(params, image))

    def score(self, params: Params, score_of: ScoreOf) -> Score:
        """Return a function of the logits as a function of the image, cut at the trunk.

        A class by its name becomes its index. Raises `InputError` for a class that the model lacks.
        """
        score_of = resolve(score_of, self.classes)

        def rebuild(score_of: ScoreOf, cut: str | None) -> Score:
            model = self if cut is None else self.at(cut)
            return model.score(params, score_of)

        return Score(
            head=lambda features: score_of(self.classify(params, features)),
            trunk=(lambda image: self.trunk(params, image)) if self.divided else identity,
            black=self.preprocess.normalised(0),
            white=self.preprocess.normalised(1),
            score_of=score_of,
            cuts=self.cuts,
            rebuild=rebuild,
        )
