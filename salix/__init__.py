"""What image models look at, over whole datasets.

`import salix` loads jax, numpy and flax only; everything heavier is imported where it is used.
"""

from salix import attribution, measures, metrics
from salix.attribution import pool
from salix.model import (
    Model,
    Preprocess,
    from_function,
    from_linen,
    from_nnx,
    logit,
    margin,
    probability,
)
from salix.models import load
from salix.sweep import sweep
from salix.typing import Explanation, InputError, Score

__version__ = "0.1.0"

__all__ = [
    "Explanation",
    "InputError",
    "Model",
    "Preprocess",
    "Score",
    "attribution",
    "from_function",
    "from_linen",
    "from_nnx",
    "load",
    "logit",
    "margin",
    "measures",
    "metrics",
    "pool",
    "probability",
    "sweep",
]
