"""How much of what a model looks at lies inside a reference map."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp

from salix.measures.human import on_grid
from salix.metrics import inside
from salix.typing import Explanation, Image, PRNGKey, Quantity


@dataclass(frozen=True)
class Inside:
    r"""Share of the map's absolute mass that lies inside the guide of its image.

    $\sum_i |m_i| g_i / \sum_i |m_i|$, as `metrics.inside`, with the guide brought to the map's
    grid by antialiased linear resizing. Range [0, 1], higher is better. A map without preference
    scores the guide's mean. NaN where there is no guide, the guide is empty, or the map is dead.
    Raises `InputError` where the guide has another number of axes than the map.
    """

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """What the number means."""
        about = "Share of a map's mass inside the guide (Arras et al., 2022, arXiv:2003.07258)."
        return (Quantity("inside", "Salience inside the guide", about, 0, 1, "higher"),)

    def __call__(
        self,
        explain: Callable[[Image], Explanation],
        image: Image,
        clean: Explanation,
        key: PRNGKey,
    ) -> dict[str, Any]:
        del explain, image, key  # one look at the clean map is enough
        if clean.guide is None:
            return {"inside": jnp.full((), jnp.nan, jnp.float32)}
        return {"inside": inside(clean.map, on_grid(clean.guide, clean.map))}
