"""Array types, protocols and records shared across modules.

Arrays are channels last. `*space` is any number of spatial axes, so that images, volumes and
sequences of tokens share every method and metric.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer, Key, Num, Shaped, UInt8, UInt32

if TYPE_CHECKING:
    AnyArray = Array | np.ndarray
else:  # a NumPy scalar is an array without axes, which type checkers do not model
    AnyArray = Array | np.ndarray | np.generic

Image = Float[AnyArray, "*space c"]  # as returned by a model's preprocessing
Pixels = UInt8[AnyArray, "*space c"]  # as decoded from a file
Features = Num[AnyArray, "*grid channels"]  # output of a trunk
Attribution = Float[AnyArray, "*space c"]  # output of a method
GridAttribution = Float[AnyArray, "*attributed k"]  # one whose grid may differ from the map's
Map = Num[AnyArray, "*space"]  # a pooled attribution, float or 8-bit
GridMap = Num[AnyArray, "*grid"]  # a map whose shape may differ from the image's or another map's
ReferenceMask = Shaped[AnyArray, "*marked"]  # shares in [0, 1], 8-bit or bool, on its own grid
Segments = Integer[AnyArray, "levels *segmented"]  # labels of a segmentation; 0: no segment
Logits = Float[AnyArray, " classes"]
Scalar = Float[AnyArray, ""]
Index = Integer[AnyArray, ""]
Flag = Bool[AnyArray, ""]
Number = float | int | Num[AnyArray, ""]  # a setting that may be traced
PRNGKey = Key[Array, ""] | UInt32[Array, "2"]
Params = Any  # any pytree of arrays
Values = dict[str, Any]  # column name -> scalar or small array, of one example


class InputError(ValueError):
    """Unusable input; the message states the value, what was expected and the remedy."""


@dataclass(frozen=True)
class Passes:
    """Passes of a model, as the cost of one image.

    `evaluations` of the score alone, `gradients` of the score with its gradient, and
    `explanations` by the method that a metric evaluates. Costs add up, and a whole number
    multiplies them.
    """

    evaluations: int = 0
    gradients: int = 0
    explanations: int = 0

    def __add__(self, other: "Passes") -> "Passes":
        return Passes(
            self.evaluations + other.evaluations,
            self.gradients + other.gradients,
            self.explanations + other.explanations,
        )

    def __mul__(self, times: int) -> "Passes":
        return Passes(times * self.evaluations, times * self.gradients, times * self.explanations)

    __rmul__ = __mul__


HOW_TO_CUT = (
    "give from_function(head, params, trunk=trunk), a module with the methods trunk and head, or "
    "model.at(cut) of a model that names cuts; or explain the pixels, as by IntegratedGradients()"
)


def identity(x: Any) -> Any:
    """Return `x`: the trunk of a score without one."""
    return x


@dataclass(frozen=True, eq=False)  # hashed by identity: a static argument of jax.jit
class Score:
    """The explained scalar, `head(trunk(image))`.

    CAM methods read their features between trunk and head; other methods use the composition
    alone. A plain function of the image is a `Score` with the identity as its trunk, which CAM
    methods refuse.

    `black` and `white` are a black and a white pixel in the image's units, one number for all
    channels or one for each: those of a model follow from its preprocessing, those of a plain
    function are pixel values in [0, 1].

    `Model.score` sets the other fields: `score_of` is the function of the logits, `cuts` names the
    places where the model can be divided, and `rebuild(score_of, cut)` makes the score again, of
    another function of the logits or divided at a cut. Whoever replaces `trunk` or `head` replaces
    `rebuild` too.
    """

    head: Callable[[Any], Any]
    trunk: Callable[[Any], Any] = identity
    black: tuple[float, ...] = (0.0,)
    white: tuple[float, ...] = (1.0,)
    score_of: Callable[[Any], Any] | None = None
    cuts: tuple[str, ...] = ()
    rebuild: Callable[[Any, str | None], "Score"] | None = None

    def __call__(self, image: Image) -> Scalar:
        return self.head(self.trunk(image))

    def at(self, cut: str) -> "Score":
        """Return the same score divided at another place of its model, named in `cuts`.

        Raises `InputError` for another name, and for a score that no model made.
        """
        return self._made_by_model(f"a cut at {cut!r}")(self.score_of, cut)

    def explaining(self, score_of: Callable[[Any], Any]) -> "Score":
        """Return the score that is another function of the model's logits, divided as this one.

        Raises `InputError` for a score that no model made.
        """
        return self._made_by_model("a score of the logits")(score_of, None)

    def _made_by_model(self, what: str) -> Callable[[Any, Any], "Score"]:
        if self.rebuild is None:
            raise InputError(
                f"{what} needs the score of a model, and this one is a function of the image: give "
                "model.score(params, logit()), where from_nnx, from_linen or from_function returns "
                "the model and the params"
            )
        return self.rebuild


ScoreLike = Callable[[Any], Any]  # a `Score` or a plain function: image -> scalar


def as_score(score: ScoreLike) -> Score:
    """Return `score` as a `Score`: a plain function becomes the head."""
    return score if isinstance(score, Score) else Score(score)


@runtime_checkable
class Method(Protocol):
    """An attribution method: a frozen dataclass whose fields are its hyper-parameters."""

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        """Attribute the score of one image; only random methods use `key`."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Explanation:
    """Logits of one image, the explained class and its pooled map.

    `reference_mask` is the mask that accompanies the image (a person's annotation, or the mask of
    a forgery), for measures that compare the map with it; None where the data has none.
    `attribution` is what the method returned, neither pooled nor scaled. `segments` are the labels
    of the image's segmentation, unique over its levels, 0 where there is no segment; None unless a
    measure has a `segmentation`.
    """

    logits: Logits
    target: Index
    map: Map
    reference_mask: ReferenceMask | None = None
    attribution: GridAttribution | None = None
    segments: Segments | None = None


@runtime_checkable
class Explain(Protocol):
    """The function by which a measure explains variants of an image."""

    def __call__(self, image: Image, target: Index | None = None) -> Explanation:
        """Explain `image` for the class `target`, or for the class that the score chooses."""
        ...


@dataclass(frozen=True, eq=False)  # hashed by identity: a static argument of jax.jit
class Explainer:
    """The `Explain` of a sweep, with the model's pixel normalisation.

    `explain(image)` explains the class chosen by the sweep's score, by default the class predicted
    for that image; `explain(image, target)` explains a fixed class. Maps are scaled to [0, 1] by
    their own range; constant maps are zero. `mean` and `std` are those of the model's
    preprocessing. `one_output`: the two logits are (-z/2, z/2) of a network's one output z.
    `score_of(logits, target)` is the explained scalar, by default the logit of the target;
    `trunk(image)` the model's features, None without a model; `baselines(image)` the images to
    whose mean score the attribution is complete, None where the method has none. `target` is the
    class explained unless a call names one; `targeted` is False where the score is of one class or
    of all, whatever the target.

    `by`, `through` and `with_params` return the explainer of another method, of the model behind a
    function of the image, and of other parameters. They need a model: `variant` makes them of
    `parameters`, and is None for a plain function.
    """

    function: Callable[[Any, Any], Explanation]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    one_output: bool = False
    score_of: Callable[[Any, Any], Any] = lambda logits, target: logits[target]
    trunk: Callable[[Any], Any] | None = None
    baselines: Callable[[Any], Any] | None = None
    target: Index | None = None
    targeted: bool = True
    variant: Callable[..., "Explainer"] | None = None
    parameters: Params = None

    def __call__(self, image: Image, target: Index | None = None) -> Explanation:
        return self.function(image, self.target if target is None else target)

    def by(self, method: Method) -> "Explainer":
        """Return the explainer of the same score by another method."""
        return self._vary("another method", method=method)

    def through(self, function: Callable[[Any], Any]) -> "Explainer":
        """Return the explainer of the model composed with a function from image to image.

        Its logits for an image are those of the model for `function(image)`; its maps are of the
        image, by the derivatives of the composition.
        """
        return self._vary("the model behind a function of the image", function=function)

    def with_params(self, params: Params) -> "Explainer":
        """Return the explainer of the same model with other parameters."""
        return self._vary("other parameters", params=params)

    @property
    def params(self) -> Params:
        """The parameters of the model. Raises `InputError` without a model."""
        self._require_model("the parameters")
        return self.parameters

    def _vary(self, what: str, **change: Any) -> "Explainer":
        variant = self._require_model(f"explanations of {what}")(**change)
        return replace(variant, target=self.target, one_output=self.one_output)

    def _require_model(self, what: str) -> Callable[..., "Explainer"]:
        if self.variant is None:
            raise InputError(
                f"{what} need a model, and these explanations are those of a plain function: "
                "measure in salix.sweep(model, params, …), or give "
                "ModelExplainer(model, params, method).explainer() of salix.engine"
            )
        return self.variant

    def score(self, image: Image, target: Index) -> Scalar:
        """Return the explained scalar of an image for a fixed class; no map is computed."""
        return self.score_of(self(image, target).logits, target)

    def features(self, image: Image) -> Float[Array, " k"]:
        """Return the features of the model's trunk, averaged over their grid, in 32 bits or more.

        Raises `InputError` without a trunk whose features are on a grid.
        """
        features = image if self.trunk is None else self.trunk(image)
        if features is image or not isinstance(features, AnyArray) or features.ndim < 2:
            raise InputError(f"the model has no features on a grid to average: {HOW_TO_CUT}")
        wide = features if features.dtype.itemsize >= 4 else features.astype(jnp.float32)
        return wide.mean(tuple(range(features.ndim - 1)))

    def pixels(self, image: Image) -> Image:
        """Return a preprocessed image as pixel values in [0, 1]."""
        mean, std = self._normal(image)
        return image * std + mean

    def image(self, pixels: Image) -> Image:
        """Return pixel values in [0, 1] as a preprocessed image."""
        mean, std = self._normal(pixels)
        return (pixels - mean) / std

    def _normal(self, like: Image) -> tuple[Array, Array]:
        shape = (1,) * (like.ndim - 1) + (-1,)
        mean, std = (jnp.array(v, like.dtype).reshape(shape) for v in (self.mean, self.std))
        return mean, std


@dataclass(frozen=True)
class Column:
    """Description of one column of a run, as its manifest records it.

    `meaning` is a sentence for the methods section of the report, with its source; `low` and
    `high` bound the range, None where it is unbounded; `direction` is the better end. `dims` names
    the axes of an array, () for a scalar, and `shape` gives their lengths. A column over one axis,
    "amount of noise" or "transform", has the title of that axis and the `coordinates` along it.
    """

    name: str
    title: str = ""
    meaning: str = ""
    low: float | None = None
    high: float | None = None
    direction: Literal["higher", "lower", ""] = ""
    axis: str = ""
    coordinates: tuple[float | str, ...] = ()
    dims: tuple[str, ...] = ()
    shape: tuple[int, ...] = ()
    dtype: str = "float32"


@runtime_checkable
class Measure(Protocol):
    """A measure of model salience: a frozen dataclass that returns named values of one image.

    In a sweep `explain` is an `Explainer`, and a measure's description of its values is its
    property `columns`, a tuple of `Column`; a measure without it is described by its names alone.
    """

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        """Measure one image, given its explanation and the function that explains variants."""
        ...
