"""Share of a map's mass inside the reference mask of its image."""

from dataclasses import dataclass

import jax.numpy as jnp

from salix.metrics import relevance_mass
from salix.metrics.resizing import resize_mask
from salix.typing import Column, Explain, Explanation, Image, PRNGKey, Values


@dataclass(frozen=True)
class RelevanceMass:
    r"""Share of the map's absolute mass that lies inside the reference mask of its image.

    $\sum_i |m_i| g_i / \sum_i |m_i|$, as `metrics.relevance_mass`, with the reference mask resized
    to the map's grid, linearly and antialiased. Range [0, 1], higher is better. A uniform map
    scores the reference mask's mean. NaN where the reference mask is missing or empty, or the map
    is constant. Raises `InputError` where the reference mask has another number of axes than the
    map.
    """

    @property
    def columns(self) -> tuple[Column, ...]:
        """The description of `relevance_mass`."""
        title = "Salience inside the reference mask"
        meaning = (
            "Share of a map's mass inside the reference mask (Arras et al., 2022, "
            "arXiv:2003.07258)."
        )
        return (Column("relevance_mass", title, meaning, 0, 1, "higher"),)

    def __call__(self, explain: Explain, image: Image, clean: Explanation, key: PRNGKey) -> Values:
        del explain, image, key  # the clean map alone is measured
        if clean.reference_mask is None:
            return {"relevance_mass": jnp.full((), jnp.nan, jnp.float32)}
        mask = resize_mask(clean.reference_mask, clean.map)
        return {"relevance_mass": relevance_mass(clean.map, mask)}
