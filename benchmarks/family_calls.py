"""The Salix side of `family.py`: each method and metric over a batch, compiled ahead of time."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import family_tasks as t
from family_tasks import TASKS
from serving import PreparedCall

OTHERS = {  # names of tasks that are not those of a metric
    "pixel_flipping": "deletion",
    "region_perturbation": "morf",
    "sparseness": "gini",
    "complexity": "spatial_entropy",
}


def method_of(task: str, chunk: int) -> Any:
    """Method of a task."""
    from salix import attribution as a
    from salix.perturb.partition import Grid

    surrogate: dict[str, Any] = {"partition": Grid(t.GRID), "samples": t.SURROGATE_SAMPLES}
    return {
        "ig": lambda: a.IntegratedGradients(steps=t.IG_STEPS),
        "smoothgrad": lambda: a.SmoothGrad(samples=t.SAMPLES, noise=0.15),
        "gradient_shap": lambda: a.ExpectedGradients(references=0.0, samples=t.SHAP_SAMPLES),
        "gradcam": a.GradCAM,
        "scorecam": lambda: a.ScoreCAM(chunk=8),
        "guided_backprop": a.GuidedBackprop,
        "deeplift": a.DeepLIFT,
        "lrp": lambda: a.LRP(rule="epsilon", epsilon=1e-4),
        "occlusion": lambda: a.Occlusion(t.WINDOW, t.STRIDE, chunk=chunk),
        "feature_ablation": lambda: a.FeatureAblation(Grid(t.GRID), chunk=chunk),
        "kernel_shap": lambda: a.KernelSHAP(**surrogate, chunk=chunk),
        "lime": lambda: a.LIME(**surrogate, chunk=chunk),
        "guided_ig": lambda: a.GuidedIG(steps=t.PATH_STEPS),
        "blur_ig": lambda: a.BlurIG(steps=t.BLUR_STEPS),
    }[task]()


def metric_options(task: str, chunk: int) -> dict[str, Any]:
    """Options of the metric of a task."""
    from salix.perturb.partition import Grid, Patches, Superpixels

    patches: dict[str, Any] = {"partition": Patches(t.PATCH), "fill": 0.0}
    options: dict[str, dict[str, Any]] = {
        "pixel_flipping": {
            "fractions": tuple((j + 1) / t.STEPS for j in range(t.STEPS)), "fill": "black",
        },
        "region_perturbation": patches | {"steps": t.REGIONS},
        "selectivity": patches,
        "irof": {"partition": Superpixels(100), "fill": "mean"},
        "road": {"fractions": t.TENTHS},
        "sensitivity_n": {"fractions": (0.1, 0.4), "samples": 12},
        "faithfulness_correlation": {
            "samples": t.RUNS, "fraction": t.SUBSET / (3 * 224 * 224), "fill": 0.0,
        },
        "faithfulness_estimate": {"partition": Grid(5), "fill": 0.0},
        "monotonicity": {"partition": Grid(5), "fill": 0.0},
        "infidelity": {"perturbation": noise, "samples": t.PERTURBATIONS},
        "max_sensitivity": {"radius": t.RADIUS, "samples": t.DRAWS},
        "local_lipschitz": {"radius": t.LIPSCHITZ, "samples": t.DRAWS, "noise": "gaussian"},
        "complexity": {"normalise": False, "unit": "nats"},
    }  # fmt: skip
    scanned = {} if TASKS[task].kind == "metric" else {"chunk": chunk}
    return options.get(task, {}) | scanned


def noise(image: Any, key: Any) -> Any:
    """Perturbation of infidelity."""
    import jax

    return 0.1 * jax.random.normal(key, image.shape, image.dtype)


def as_peer(task: str, result: Any, score: Any, image: Any) -> Any:
    """Result of a metric in the form of the peer: falls of the score, or without its first."""
    if task == "region_perturbation":
        return result.values[0] - result.values[1:]
    if task == "selectivity":
        return result.values[1:]
    if task == "road":
        return result.values.mean() - score(image)
    if task == "irof":
        return result.area
    return result.values if hasattr(result, "values") else result


def image_function(task: str, chunk: int, model: Any) -> tuple[Callable[..., Any], Any]:
    """Function of (params, image, key, map) of a task, and its passes for an image."""
    import inspect

    from salix import attribution as a
    from salix import metrics
    from salix.attribution import Gradient, passes_of
    from salix.engine.model_explainer import ModelExplainer
    from salix.scores import logit, probability

    shape = (*model.preprocess.size, 3)
    if TASKS[task].kind == "method":
        method = method_of(task, chunk)
        score = probability(0) if task == "scorecam" else logit(0)

        def explain(params: Any, image: Any, key: Any, map: Any) -> Any:
            return method(model.score(params, score), image, key)

        counted = a.ScoreCAM(channels=512) if task == "scorecam" else method
        return explain, passes_of(counted, shape)
    name, options = OTHERS.get(task, task), metric_options(task, chunk)
    metric, info = getattr(metrics, name), metrics.METRICS[name]
    passes = info.passes(options, shape) if info.passes else None
    required = inspect.signature(metric).parameters.values()
    arity = sum(p.default is p.empty for p in required)
    score = logit(0) if task == "infidelity" else probability(0)

    def measure(params: Any, image: Any, key: Any, map: Any) -> Any:
        if arity == 1:
            return metric(map, **options)
        if arity == 4:
            of = model.score(params, score)
            return as_peer(task, metric(of, image, map, key, **options), of, image)
        # The explained class is that of a score without a target where the metric chooses it.
        explained = logit() if task == "random_logit" else logit(0)
        explainer = ModelExplainer(model, params, Gradient(), score=explained).explainer()
        return metric(explainer, image, key, **options)

    return measure, passes


def salix_call(spec: dict[str, Any], case: Any) -> PreparedCall:
    """Program of a task, its wait, and facts of its compilation and passes."""
    import jax

    from salix import models
    from salix.bench.program import compiled

    names = [str(n) for n in range(1000)]
    model, params = models.load(
        case.network, spec["weights"] or None, classes=None if spec["weights"] else names
    )
    model = replace(model, preprocess=replace(model.preprocess, size=case.images.shape[1:3]))
    batch = len(case.images)
    function, passes = image_function(case.task, max(1, 8 // batch), model)
    images, keys = jax.device_put(case.images), jax.random.split(jax.random.key(0), batch)
    over_batch = jax.vmap(function, (None, 0, 0, 0))
    extra = (keys, jax.device_put(case.maps))
    program = compiled(over_batch, params, images, extra, 0, "float32")
    facts: dict[str, Any] = {"compile_s": program.compile_seconds}
    if passes is not None:
        explained = getattr(passes, "explanations", 0)
        facts["passes"] = passes.evaluations + passes.gradients + explained
    return lambda: program.run(images), jax.block_until_ready, facts
