"""What image models look at, over whole datasets.

`import salix` loads jax, numpy and flax only; everything heavier is imported where it is used.
"""

from salix import attribution, measures, metrics
from salix.adapters import from_function, from_linen, from_nnx
from salix.attribution import pool
from salix.engine import sweep
from salix.model import Model
from salix.models import load
from salix.preprocess import Preprocess
from salix.scores import logit, margin, probability
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
