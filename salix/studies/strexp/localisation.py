"""Localisation of characters: does the map of a character lie on the character?"""

from collections.abc import Mapping
from types import MappingProxyType

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from salix.metrics.localisation import attribution_localisation, localisation_auc
from salix.typing import PRNGKey

CONTROLS: Mapping[str, str] = MappingProxyType(
    {
        "uniform": "the share of the image that the character covers",
        "rolled": "the character's own map, moved around by a random distance (equal energy)",
        "others": "the maps of the other characters",
        "word": "the word's map",
    }
)


def localise(
    maps: Float[Array, "maps h w"], extents: Bool[Array, "n h w"], length: Array, key: PRNGKey
) -> dict[str, Float[Array, " n"]]:
    """Return the share of positive mass in each character's extent, its AUC and the controls.

    Names are `mass`, `auc` and those of `CONTROLS`; NaN for padding, for characters without an
    extent and for maps without a positive value. `rolled` moves the map along both axes by
    uniformly random distances.
    """
    own, (_, height, width) = maps[1:], maps.shape
    keys = jax.random.split(key, (len(own), 2))

    def roll(map: Array, pair: Array) -> Array:
        rows = jax.random.randint(pair[0], (), 0, height)
        columns = jax.random.randint(pair[1], (), 0, width)
        return jnp.roll(jnp.roll(map, rows, 0), columns, 1)

    mass = jax.vmap(attribution_localisation)
    every = jax.vmap(lambda extent: jax.vmap(lambda m: attribution_localisation(m, extent))(own))
    table = every(extents)  # [extent, map]
    number = jnp.arange(len(own))
    others = (number[None] < length) & (number[None] != number[:, None])
    usable = others & jnp.isfinite(table)
    mean = jnp.where(usable, table, 0).sum(1) / usable.sum(1).astype(table.dtype)
    values = {
        "mass": jnp.diagonal(table),
        "auc": jax.vmap(localisation_auc)(own, extents),
        "uniform": jnp.asarray(extents).mean((1, 2)),
        "rolled": mass(jax.vmap(roll)(own, keys), extents),
        "others": mean,
        "word": jax.vmap(lambda extent: attribution_localisation(maps[0], extent))(extents),
    }
    known = (number < length) & jnp.asarray(extents).any((1, 2))
    return {name: jnp.where(known, value, jnp.nan) for name, value in values.items()}
