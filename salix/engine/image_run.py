"""Run of one classifier over a data set of images, to compute on demand."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

from salix.attribution import GradCAM, IntegratedGradients
from salix.data import Arrays, Source, open_source
from salix.data.loaders import Loader
from salix.engine.classification import Classification
from salix.engine.classification_columns import MapType
from salix.engine.evaluated_methods import (
    MetricChoice,
    as_methods,
    check_evaluations,
    evaluation_costs,
    evaluation_measures,
)
from salix.engine.labelled_images import LabelledImages
from salix.engine.model_check import check_params
from salix.engine.problem_run import prepare_run
from salix.engine.run import PreparedRun
from salix.engine.segmentation import agreed_segmentation
from salix.measures import Regions
from salix.measures.presets import PRESETS
from salix.model import Model
from salix.nn import round_kernels
from salix.precision import Precision
from salix.scores import ScoreOf, logit
from salix.store import Run
from salix.typing import Measure, Method, Params


def prepare_sweep(
    model: Model,
    params: Params,
    data: Any,
    attribution: Method | Sequence[Method] | None = None,
    measures: Sequence[Measure] = (),
    *,
    metrics: MetricChoice = (),
    out: Path | str,
    score: ScoreOf = logit(),
    targets: Literal["label"] | Run | Path | str | None = None,
    precision: Precision = "float32",
    maps: MapType | None = "uint8",
    side: int = 64,
    batch_size: int | None = None,
    seed: int = 0,
    name: str | None = None,
    group: str | None = None,
    workers: int | None = None,
    loader: Loader = "threads",
    range_size: int | None = None,
    thumbs: int = 16,
    content: Literal["sampled", "full"] = "sampled",
) -> PreparedRun:
    """Open the run of `sweep`, to compute its ranges on demand: arguments and errors are its."""
    check_params(params)
    source = as_source(data)
    methods = as_methods(attribution) or (default_attribution(model, measures),)
    masks = source.has_reference_masks
    measures = (
        *measures,
        *evaluation_measures(methods, metrics, reference_masks=masks, maps=maps, side=side),
    )
    check_evaluations(measures, reference_masks=masks)
    examples = LabelledImages(
        source,
        model,
        thumbs,
        full_content=content == "full",
        segmentation=agreed_segmentation(measures),
        targets=targets,
    )
    explained = examples.explained
    problem = Classification(
        model,
        methods[0],
        score=score,
        measures=measures,
        precision=precision,
        maps=maps,
        side=side,
        reference_masks=masks,
        targets=None if explained is None else explained.rule,
        fixed_scores=examples.fixed is not None,
    )
    prepared = prepare_run(
        problem,
        round_kernels(params, precision),
        examples,
        out=out,
        batch_size=batch_size,
        seed=seed,
        name=name or model.name,
        group=group,
        workers=workers,
        loader=loader,
        range_size=range_size,
        unit="images",
    )

    def notes() -> dict[str, Any]:
        about: dict[str, Any] = {}
        if model.chosen is not None:  # the network of a weight file with several
            about["chosen"] = model.chosen
        if model.weights is not None:
            about["weights"] = asdict(model.weights)
        segments = examples.images.segments
        if segments is not None and any(segments.counts.values()):
            about["segments"] = segments.counts
        if explained is not None and explained.run is not None:
            about["targets_run"] = explained.run.name
        if costs := evaluation_costs(measures, model):
            about["passes"] = costs
        return about

    prepared.notes = notes
    return prepared


def default_attribution(model: Model, measures: Sequence[Measure] = ()) -> Method:
    """Return Grad-CAM; with measures of the preset "paper", as released for the architecture.

    With `Regions` integrated gradients against black and white, whose sums over regions compare.
    The release hooked torchvision's networks. DenseNet applies its last ReLU in place there, so
    that the gradient was taken before it (`GradCAM`).
    """
    if any(isinstance(measure, Regions) for measure in measures):
        return IntegratedGradients("black_white", steps=50)
    released = any(measure in PRESETS["paper"] for measure in measures)
    return GradCAM(before_relu=released and model.inplace_relu)


def as_source(data: Any) -> Source:
    """Return `data` as a source: a path's, or images in memory as `salix.data.Arrays` takes them.

    Raises `InputError` for anything else.
    """
    if isinstance(data, (str, Path)):
        return open_source([str(data)])
    return data if hasattr(data, "reference_mask") else Arrays(data)
