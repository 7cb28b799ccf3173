"""Engine: the only place that batches, compiles, shards and dispatches."""

from salix.engine.classification import Classification
from salix.engine.image_explanation import explain, image_explainer, model_pixels
from salix.engine.image_sweep import sweep
from salix.engine.model_explainer import ModelExplainer
from salix.engine.problem import Problem
from salix.engine.problem_run import run_problem

__all__ = [
    "Classification",
    "ModelExplainer",
    "Problem",
    "explain",
    "image_explainer",
    "model_pixels",
    "run_problem",
    "sweep",
]
