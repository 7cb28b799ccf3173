"""How much of what a model looks at lies inside a reference map."""

from dataclasses import dataclass

import jax.numpy as jnp

from salix.measures.reference_agreement import on_grid
from salix.metrics import relevance_mass
from salix.typing import Column, Explain, Explanation, Image, PRNGKey, Values


@dataclass(frozen=True)
class RelevanceMass:
    r"""Share of the map's absolute mass that lies inside the reference mask of its image.

    $\sum_i |m_i| g_i / \sum_i |m_i|$, as `metrics.relevance_mass`, with the reference mask brought to the map's
    grid by antialiased linear resizing. Range [0, 1], higher is better. A map without preference
    scores the reference mask's mean. NaN where there is no reference mask, the reference mask is empty, or the map is constant.
    Raises `InputError` where the reference mask has another number of axes than the map.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """What the number means."""
        about = "Share of a map's mass inside the reference mask (Arras et al., 2022, arXiv:2003.07258)."
        return (
            Column("relevance_mass", "Salience inside the reference mask", about, 0, 1, "higher"),
        )

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        del explain, image, key  # one look at the clean map is enough
        if clean.reference_mask is None:
            return {"relevance_mass": jnp.full((), jnp.nan, jnp.float32)}
        return {
            "relevance_mass": relevance_mass(clean.map, on_grid(clean.reference_mask, clean.map))
        }
