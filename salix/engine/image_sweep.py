"""`salix.sweep`: maps and measures of one classifier over a data set of images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from salix.data.loaders import Loader
from salix.engine.classification_columns import MapType
from salix.engine.evaluated_methods import MetricChoice
from salix.engine.image_run import prepare_sweep
from salix.engine.shard import Shard, as_shard
from salix.measurement import Callback
from salix.model import Model
from salix.precision import Precision
from salix.scores import ScoreOf, logit
from salix.store import Run
from salix.typing import Measure, Method, Params


def sweep(
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
    shard: Shard | tuple[int, int] | str | None = None,
    range_size: int | None = None,
    thumbs: int = 16,
    content: Literal["sampled", "full"] = "sampled",
    progress: bool = False,
    callback: Callback | None = None,
) -> Run:
    """Explain every image of a data set and write one row for each; run it again to resume.

    `data` is a source of `salix.data`, a path, or images in memory: uint8 [n h w 3], and what
    `salix.data.memory_images` takes as such. `attribution` is any method, or several, None for
    `default_attribution`. Maps and `measures` are those of the first. `metrics` evaluate each
    method, `salix.measures.Evaluation`, whose columns are over the axis "method": metrics of
    `salix.metrics` or your own functions, `Of(deletion, fill="black")`, or texts,
    "deletion(fill='black')"; those of several methods are by default deletion, insertion and gini,
    and relevance_mass where the data has reference masks. `score` is any function of the logits:
    `logit()`, `probability(1)`, or your own. `targets` chooses the class that is explained for each
    image, for a score without one: "label", its label, or a run or its directory, the class
    predicted there; None, the class that this model predicts. An image without such a class is
    skipped with the reason. Maps are stored as `maps` "uint8" (255 levels of the map's own range),
    "float16" or "float32" (shares of it in [0, 1]), averaged down to at most `side` pixels a side,
    or not at all for None. `thumbs` images are stored small, for the report. `content` tells how
    the files of images count in the identity of the run: by size and sampled content, at most 256
    KiB of each, or "full", by all of it. `precision` is that of the model's convolutions and matrix
    products, see `salix.precision`; measures are exact in any. `out`, `batch_size`, `seed`, `name`,
    `group`, `workers`, `loader`, `shard` ("3/16" or (3, 16)), `range_size` and `callback` are those
    of `salix.engine.run_problem`.

    Rows are equal to the last bit for the same inputs on the same hardware, JAX, and number of
    devices and CPUs, after any interruption, and on the CPU for every `batch_size`; for another
    order, device, version or number they agree to rounding.

    Raises `InputError` before any work for labels that are not the model's classes, for an `out` of
    another configuration, for a method that reads a trunk of a model without one, and for a metric
    of reference masks where the data has none.
    """
    shard = as_shard(shard)
    prepared = prepare_sweep(
        model,
        params,
        data,
        attribution,
        measures,
        metrics=metrics,
        out=out,
        score=score,
        targets=targets,
        precision=precision,
        maps=maps,
        side=side,
        batch_size=batch_size,
        seed=seed,
        name=name,
        group=group,
        workers=workers,
        loader=loader,
        range_size=range_size,
        thumbs=thumbs,
        content=content,
    )
    return prepared.complete(shard, progress=progress, callback=callback)
