"""Finer-CAM: a CAM of the difference between a class and the classes most similar to it."""

from dataclasses import dataclass, field
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cost import passes_of
from salix.attribution.gradcam import GradCAM
from salix.attribution.pooling import pooling_of
from salix.attribution.smoothgrad import METHOD
from salix.hyperparameters import check_fields, number
from salix.scores import RIVALS, difference
from salix.typing import Image, InputError, Method, Passes, PRNGKey, ScoreLike, as_score


@dataclass(frozen=True)
class FinerCAM:
    r"""Finer-CAM, a method on the score $z_t - \alpha\,mean_{d \in D}\,z_d$.

    z are the logits, t the class that the score explains and D its `rivals` classes of nearest
    logits, or the classes of a tuple of indices: what speaks for the class and its neighbours alike
    cancels. The same map is that of `method` on `salix.scores.difference(t, rivals, alpha)`. For
    `GradCAM()` the weights are those of the class less alpha times the mean of its rivals'.

    Shape, units and pooling are the method's. Raises `InputError` for a score that no model made,
    or one that names no class, and where `method` or `difference` do.

    Zhang et al. (2025), arXiv:2501.11309, sec. 3.
    """

    method: Method = field(default_factory=GradCAM)
    rivals: int | tuple[int, ...] = 3
    alpha: float | int = 1.0

    def __post_init__(self) -> None:
        check_fields(self, method=METHOD, rivals=RIVALS, alpha=number())

    @property
    def pooling(self) -> str:
        """The pooling of the inner method."""
        return pooling_of(self.method)

    @property
    def reads_trunk(self) -> bool:
        """Whether the inner method reads the trunk's features."""
        return getattr(self.method, "reads_trunk", False)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]: those of the method."""
        return passes_of(self.method, shape)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid k"]:
        score = as_score(score)
        score_of: Any = score.score_of
        if score_of is not None and not hasattr(score_of, "target"):
            raise InputError(
                "FinerCAM compares the class that the score explains with others, and "
                f"{getattr(score_of, '__name__', score_of)} names no class: give logit(), "
                "probability() or margin()"
            )
        target = getattr(score_of, "target", None)
        finer = score.explaining(difference(target, self.rivals, self.alpha))
        return jnp.asarray(self.method(finer, image, key))
