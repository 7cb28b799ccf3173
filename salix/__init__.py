"""Salience maps of models over whole data sets, measures of the maps, and comparisons of models.

`sweep` explains every example of a data set and writes a run; `salix.report` compares runs, and
`salix.extend` has the protocols of methods, measures, problems and report sections. `import salix`
loads jax, numpy and flax only; everything heavier is imported where it is used.
"""

from salix import attribution, measures, metrics, plot
from salix.adapters import from_function, from_linen, from_nnx
from salix.attribution import pool
from salix.engine import explain, sweep
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
    "explain",
    "from_function",
    "from_linen",
    "from_nnx",
    "load",
    "logit",
    "margin",
    "measures",
    "metrics",
    "plot",
    "pool",
    "probability",
    "sweep",
]
