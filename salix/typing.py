"""Names of the arrays, callables and records that cross modules.

Layout is channels last. `*space` is any number of spatial axes, so that images, volumes and
sequences of tokens share every method and metric.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Integer, Key, Num, Shaped, UInt8, UInt32

if TYPE_CHECKING:
    AnyArray = Array | np.ndarray
else:  # a NumPy scalar is an array without axes; only type checkers take it for another thing
    AnyArray = Array | np.ndarray | np.generic

Image = Float[AnyArray, "*space c"]  # as a model's preprocessing leaves it
Pixels = UInt8[AnyArray, "*space c"]  # as a file holds it
Features = Num[AnyArray, "*grid channels"]  # what a trunk returns
Attribution = Float[AnyArray, "*space c"]  # what a method returns
Map = Num[AnyArray, "*space"]  # a pooled attribution, float or 8-bit
ReferenceMask = Shaped[AnyArray, "*marked"]  # a reference map, on a grid of its own
Logits = Float[AnyArray, " classes"]
Scalar = Float[AnyArray, ""]
Index = Integer[AnyArray, ""]
Flag = Bool[AnyArray, ""]
PRNGKey = Key[Array, ""] | UInt32[Array, "2"]
Params = Any  # any pytree of arrays


class InputError(ValueError):
    """What the caller gave cannot be used; the text says what was expected and what to do."""


def identity(x: Any) -> Any:
    """Return `x`: the trunk of a score that has none."""
    return x


@dataclass(frozen=True)
class Score:
    """The scalar that a map explains: `head(trunk(image))`.

    The cut between trunk and head is where CAM methods read their features; other methods see
    only the whole. A plain function of the image is a `Score` whose trunk is the identity.
    """

    head: Callable[[Any], Any]
    trunk: Callable[[Any], Any] = identity

    def __call__(self, image: Image) -> Scalar:
        return self.head(self.trunk(image))


ScoreLike = Callable[[Any], Any]  # a `Score` or a plain function: image -> scalar


def as_score(score: ScoreLike) -> Score:
    """Return `score` as a `Score`: a plain function becomes the head of one."""
    return score if isinstance(score, Score) else Score(score)


@runtime_checkable
class Method(Protocol):
    """An attribution method: a frozen dataclass whose fields are its hyper-parameters."""

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        """Attribute the score of one image; `key` is used by random methods only."""
        ...


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Explanation:
    """What one image did to one model: logits, the explained class and the pooled map.

    `reference_mask` is the reference map that came with the image (a person's marking, or the mask of a
    forgery), for measures that compare with it; None where the data has none.
    """

    logits: Logits
    target: Index
    map: Map
    reference_mask: ReferenceMask | None = None


@dataclass(frozen=True)
class Explainer:
    """Explains any image as a sweep explains the clean one: what measures get as `explain`.

    `explain(image)` explains the class that the sweep's score chooses, by default the one predicted
    on that very image; `explain(image, target)` fixes the class. Maps are scaled to [0, 1] by
    their own range, and zero everywhere where they are constant. `mean` and `std` are those that the
    model's images are normalised by.
    """

    function: Callable[[Any, Any], Explanation]
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)

    def __call__(self, image: Image, target: Index | None = None) -> Explanation:
        return self.function(image, target)

    def pixels(self, image: Image) -> Image:
        """Return a model's image as values of a file, in [0, 1]."""
        mean, std = self._normal(image)
        return image * std + mean

    def image(self, pixels: Image) -> Image:
        """Return values of a file, in [0, 1], as an image for the model."""
        mean, std = self._normal(pixels)
        return (pixels - mean) / std

    def _normal(self, like: Image) -> tuple[Array, Array]:
        shape = (1,) * (like.ndim - 1) + (-1,)
        mean, std = (jnp.array(v, like.dtype).reshape(shape) for v in (self.mean, self.std))
        return mean, std


def as_explainer(explain: Callable[..., Explanation]) -> Explainer:
    """Return `explain` as an `Explainer`: a plain function explains images of values in [0, 1]."""
    if isinstance(explain, Explainer):
        return explain
    return Explainer(lambda image, target: explain(image))


@dataclass(frozen=True)
class Column:
    """Description of one column of a run, as its manifest records it.

    `meaning` is a sentence for the report's methods, with its source; `low` and `high` bound the
    range, None where it is unbounded; `direction` says which way is better. `dims` names the axes
    of an array, () for a scalar, and `shape` their lengths. A column over one axis, "amount of
    noise" or "transform", has the title of the axis and the `coordinates` along it.
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
    """A measure of model salience: a frozen dataclass that returns named numbers for one image.

    In a sweep `explain` is an `Explainer`. A measure may say what its numbers mean in a property
    `columns`, a tuple of `Column`.
    """

    def __call__(
        self,
        explain: Callable[[Image], Explanation],
        image: Image,
        clean: Explanation,
        key: PRNGKey,
    ) -> dict[str, Any]:
        """Measure one image, given its explanation and the function that explains variants."""
        ...
