"""`salix sweep`: maps and measures of a model for every image of a data set."""

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from salix.cli.data_options import DataOptions
from salix.cli.options import Option
from salix.cli.preprocess_options import PreprocessOptions
from salix.cli.weight_options import WeightOptions
from salix.precision import Precision

SHOWN = 5  # most skipped images that are listed in the terminal


@dataclass(frozen=True)
class Sweep:
    """Compute maps and measures for every image of a data set with one model.

    Writes a run: a directory with one row for each image. After a stop, the same command resumes
    the run. Example: salix sweep --model meso4 --weights Meso4_DF.h5
    --data real=photos fake=portraits --out runs/meso4
    """

    model: Annotated[str, Option(help="architecture, for example meso4 or resnet50")]
    images: Annotated[DataOptions, tyro.conf.OmitArgPrefixes]
    out: Annotated[Path, Option(help="directory of the run: a new one, or one to resume")]
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    preprocess: Annotated[PreprocessOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=PreprocessOptions
    )
    attribution: Annotated[
        tuple[str, ...],
        Option(
            help="one or more methods, for example 'IntegratedGradients(steps=64)'; GradCAM() by "
            "default, with --measures paper as released for the architecture; with --measures "
            "regions 'IntegratedGradients(\"black_white\", steps=50)'; maps and measures are those "
            "of the first"
        ),
    ] = ()
    metrics: Annotated[
        tuple[str, ...],
        Option(
            help="metrics that evaluate each method, for example deletion \"deletion(fill='black', "
            "name='black')\"; of several methods deletion, insertion and gini by default, and "
            "relevance_mass where the data has reference masks"
        ),
    ] = ()
    references: Annotated[
        str | None,
        Option(
            help="reference images of ExpectedGradients and DeepLIFTSHAP: a folder or table, at "
            "most 64 images of it, best from the training data; black and white by default"
        ),
    ] = None
    score: Annotated[
        str,
        Option(
            help="explained score: 'logit()' of the predicted class, 'probability(\"fake\")', …"
        ),
    ] = "logit()"
    targets: Annotated[
        str | None,
        Option(
            help="class explained for each image, for a score without one: label, or the directory "
            "of a run whose predictions are explained; the model's own prediction by default"
        ),
    ] = None
    cut: Annotated[
        str | None, Option(help="place where CAM and GradCAM read features, for example layer3")
    ] = None
    precision: Annotated[
        Precision,
        Option(help="of the model's products: lower is faster on devices with units for it"),
    ] = "float32"
    measures: Annotated[
        tuple[str, ...],
        Option(help="paper, standard, regions, or measures as 'Noise(kind=\"jpeg\")', 'Of(gini)'"),
    ] = ()
    maps: Annotated[
        Literal["uint8", "float16", "float32", "none"],
        Option(help="type in which maps are stored; none stores no maps"),
    ] = "uint8"
    side: Annotated[int, Option(help="longest side of a stored map in pixels")] = 64
    batch_size: Annotated[int, Option(help="images in memory at once")] = 32
    workers: Annotated[
        int | None, Option(help="threads or processes that decode images; one for each core")
    ] = None
    loader: Annotated[
        Literal["threads", "processes"],
        Option(help="processes decode faster where many threads wait for each other: 8 and more"),
    ] = "threads"
    shard: Annotated[
        str | None,
        Option(
            help="part of the run for this process, as 3/16: the ranges 3, 19, 35, … of the "
            "images. Start a process for each of 0/16 to 15/16, on any machines that share --out, "
            "in a Slurm array with --shard $SLURM_ARRAY_TASK_ID/16"
        ),
    ] = None
    range_size: Annotated[
        int | None,
        Option(help="images of a range, of which one process computes all; 10000 by default"),
    ] = None
    seed: Annotated[int, Option(help="seed of random methods and measures")] = 0
    name: Annotated[
        str | None, Option(help="name of the run in reports; the directory's by default")
    ] = None
    group: Annotated[
        str | None, Option(help="name shared by runs that differ by training seed only")
    ] = None

    def run(self) -> int:
        """Run the sweep and print the path of the run, its counts and the skipped images.

        Returns 1 where no image could be read.
        """
        from salix import spec
        from salix.attribution import METHODS
        from salix.cli.references import reference_images, with_references
        from salix.data.notes import printable
        from salix.engine import sweep
        from salix.measures import ARGUMENTS, MEASURES
        from salix.measures.presets import PRESETS
        from salix.models import load
        from salix.perturb.partition import PARTITIONS
        from salix.scores import SCORES

        source = self.images.source()
        model, params = load(self.model, self.weights.path, **self.weights.choice)
        model = model if self.cut is None else model.at(self.cut)
        model = replace(model, preprocess=self.preprocess.apply(model.preprocess))
        if self.weights.path is None:
            print(f"{self.model} has random weights: give --weights", file=sys.stderr)
        measures = [
            measure
            for text in self.measures
            for measure in PRESETS.get(text) or (spec.parse(text, MEASURES, ARGUMENTS | METHODS),)
        ]
        methods = [spec.parse(text, METHODS, PARTITIONS) for text in self.attribution]
        if self.references is not None:
            methods = with_references(methods, reference_images(model, self.references))
        run = sweep(
            model,
            params,
            source,
            methods or None,
            measures,
            metrics=self.metrics,
            out=self.out,
            score=spec.parse(self.score, SCORES),
            targets=self.targets,
            precision=self.precision,
            maps=None if self.maps == "none" else self.maps,
            side=self.side,
            batch_size=self.batch_size,
            workers=self.workers,
            loader=self.loader,
            shard=self.shard,
            range_size=self.range_size,
            seed=self.seed,
            name=self.name or self.out.name,
            group=self.group,
            content=self.images.content,
            progress=True,
        )
        if not run.complete:  # of several shards, or what another process is writing
            print(f"{run.path}: {' '.join(run.missing[:SHOWN])}")
            print("next: the other shards, or without --shard all that is left")
            return 0
        skipped = run.skipped
        print(f"{run.path}: {run.count - len(skipped)} images explained, {len(skipped)} skipped")
        for row in skipped[:SHOWN]:
            print(printable(f"  skipped {row['id']}: {row['skipped']}"))
        if len(skipped) > SHOWN:
            print(f"  … and {len(skipped) - SHOWN} more, listed in the report")
        if len(skipped) == run.count:
            print("salix: no image could be read: see the reasons above", file=sys.stderr)
            return 1
        print(f"next: salix report {run.path} --out report.html")
        if "region_area" in run.columns:
            print(f"or with another model's run: salix compare {run.path} OTHER --out compare.html")
        return 0
