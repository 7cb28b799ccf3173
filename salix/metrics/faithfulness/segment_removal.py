"""Iterative removal of segments (IROF): the area over the curve of the relative score."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from salix.metrics.faithfulness.curves import Curve
from salix.metrics.faithfulness.relevance_order import remove_regions
from salix.metrics.faithfulness.replacement import Fill
from salix.metrics.presets import choose_options
from salix.perturb.partition import Partition, Superpixels
from salix.typing import GridMap, Image, PRNGKey, ScoreLike

SEGMENTS: Mapping[str, Mapping[str, Any]] = {
    "paper": {"partition": Superpixels(), "fill": "mean"},
}
