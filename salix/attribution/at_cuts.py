"""CAMs at several cuts of the model, combined on one grid."""

from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from salix.attribution.cost import passes_of
from salix.attribution.layercam import LayerCAM
from salix.attribution.pooling import pooling_of
from salix.attribution.smoothgrad import METHOD
from salix.hyperparameters import TEXT, check_fields, choice, several
from salix.typing import Image, InputError, Method, Passes, PRNGKey, ScoreLike, as_score

COMBINATIONS = {"mean": jnp.mean, "max": jnp.max}


@dataclass(frozen=True)
class AtCuts:
    r"""Mean or maximum of a method's maps at several cuts, $A = mean_c\, M_c / \max |M_c|$.

    $M_c$ is the map with the model divided at the cut c, one of the names in `model.cuts`; without
    names all of them. Each is divided by its largest absolute value, so that no cut outweighs the
    others by the scale of its features, and enlarged linearly to the largest of the grids. A is in
    [-1, 1]; a map of zeros stays zero, and a map that is not finite makes A so. `combine` is "mean"
    or "max", the largest value at each position.

    LayerCAM fuses its maps by the maximum, those of early cuts as $\tanh(2 M / \max M)$;
    pytorch-grad-cam averages maps scaled by their minimum and maximum. Raises `InputError` for a
    score that no model made, for a name that is no cut of the model, and where `method` does.

    Jiang et al. (2021), doi:10.1109/TIP.2021.3089943, sec. III, on maps of several stages.
    """

    method: Method = field(default_factory=LayerCAM)
    cuts: tuple[str, ...] = ()
    combine: str = "mean"

    def __post_init__(self) -> None:
        names = several(TEXT, low=0, unique=True, remedy="give names of cuts, each once")
        check_fields(self, method=METHOD, cuts=names, combine=choice(COMBINATIONS))

    @property
    def pooling(self) -> str:
        """The pooling of the inner method."""
        return pooling_of(self.method)

    @property
    def reads_trunk(self) -> bool:
        """Whether the inner method reads the trunk's features."""
        return getattr(self.method, "reads_trunk", False)

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]: the method's at each cut."""
        if not self.cuts:
            raise InputError(
                "AtCuts() runs its method at every cut of the model: its cost is known for "
                "AtCuts(cuts=(...))"
            )
        return passes_of(self.method, shape) * len(self.cuts)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Float[Array, "*grid k"]:
        score = as_score(score)
        cuts = self.cuts or score.cuts
        if score.rebuild is not None and not cuts:
            raise InputError("AtCuts needs a model that names cuts: model.cuts is empty")
        attributions = [self.method(score.at(cut), image, key) for cut in cuts or ("a name",)]
        maps = [jnp.asarray(a) for a in attributions]
        if len({m.ndim for m in maps}) > 1:
            shapes = ", ".join(f"{m.shape} at {c!r}" for m, c in zip(maps, cuts, strict=True))
            raise InputError(f"maps of several cuts need grids with as many axes: {shapes}")
        shape = tuple(max(sides) for sides in zip(*(m.shape for m in maps), strict=True))
        scaled = [jax.image.resize(_unit(m), shape, "linear") for m in maps]
        return COMBINATIONS[self.combine](jnp.stack(scaled), axis=0)


def _unit(map: Float[Array, "*grid k"]) -> Float[Array, "*grid k"]:
    """Return a map divided by its largest absolute value."""
    peak = jnp.abs(map).max()
    return map / jnp.where(peak == 0, 1, peak)
