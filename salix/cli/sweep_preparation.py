"""Run of `salix sweep`, opened from the command's options."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from salix import spec
from salix.attribution import METHODS
from salix.cli.references import reference_images, with_references
from salix.engine.image_run import prepare_sweep
from salix.measures import ARGUMENTS, MEASURES
from salix.measures.presets import PRESETS
from salix.models import load
from salix.perturb.partition import PARTITIONS
from salix.scores import SCORES

if TYPE_CHECKING:
    from salix.cli.sweep import Sweep
    from salix.engine.run import PreparedRun


def prepare_command(command: "Sweep", workers: int | None = None) -> "PreparedRun":
    """Open the run of a command, with `workers` threads that load images unless it has its own."""
    source = command.images.source()
    model, params = load(command.model, command.weights.path, **command.weights.choice)
    model = model if command.cut is None else model.at(command.cut)
    model = replace(model, preprocess=command.preprocess.apply(model.preprocess))
    if command.weights.path is None:
        print(f"{command.model} has random weights: give --weights", file=sys.stderr)
    measures = [
        measure
        for text in command.measures
        for measure in PRESETS.get(text) or (spec.parse(text, MEASURES, ARGUMENTS | METHODS),)
    ]
    methods = [spec.parse(text, METHODS, PARTITIONS) for text in command.attribution]
    if command.references is not None:
        images = reference_images(model, command.references)
        takers = with_references([*methods, *measures], images)
        methods, measures = takers[: len(methods)], takers[len(methods) :]
    return prepare_sweep(
        model,
        params,
        source,
        methods or None,
        measures,
        metrics=command.metrics,
        out=command.out,
        score=spec.parse(command.score, SCORES),
        targets=command.targets,
        precision=command.precision,
        maps=None if command.maps == "none" else command.maps,
        side=command.side,
        batch_size=command.batch_size,
        workers=command.workers or workers,
        loader=command.loader,
        range_size=command.range_size,
        seed=command.seed,
        name=command.name or command.out.name,
        group=command.group,
        content=command.images.content,
    )
