"""`salix sweep`: maps and measures of a model for every image of a data set."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from salix.cli.data_options import DataOptions
from salix.cli.operation_options import OperationOptions
from salix.cli.options import Option
from salix.cli.preprocess_options import PreprocessOptions
from salix.cli.sweep_summary import print_summary
from salix.cli.weight_options import WeightOptions
from salix.precision import Precision
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.engine.run import PreparedRun


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
            help="reference images of ExpectedGradients and DeepLIFTSHAP, best from the training "
            "data (black and white by default), and of RealRegions, authentic ones: a folder or "
            "table, at most 64 images of it"
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
    batch_size: Annotated[
        int | None,
        Option(
            help="images loaded and computed at once; by default batches of 32, of which an "
            "accelerator computes as many at once as fit into its memory. Where memory runs out, "
            "fewer are computed at once. Part of the run: a resumed run needs the same"
        ),
    ] = None
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
    ray: Annotated[
        tuple[str, ...] | None,
        Option(
            metavar="[ADDRESS]",
            help="compute on a Ray cluster: a worker for each GPU or TPU, or without any for each "
            "node's cores. Without ADDRESS the cluster that RAY_ADDRESS names, or a new one of "
            "this machine; auto, or HOST:6379, for a running one, whose nodes see --out and the "
            "data in the same places",
        ),
    ] = None
    ray_cores: Annotated[
        int | None,
        Option(
            help="cores of a worker of --ray on clusters without accelerators, for example 8; all "
            "cores of a node by default"
        ),
    ] = None
    seed: Annotated[int, Option(help="seed of random methods and measures")] = 0
    name: Annotated[
        str | None, Option(help="name of the run in reports; the directory's by default")
    ] = None
    group: Annotated[
        str | None, Option(help="name shared by runs that differ by training seed only")
    ] = None
    operation: Annotated[OperationOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=OperationOptions
    )

    def run(self) -> int:
        """Run the sweep and print its result; returns 1 where no image could be read."""
        from salix.engine.shard import as_shard

        shard = as_shard(self.shard)
        part = f"-shard-{shard.index}-of-{shard.count}" if shard.count > 1 else ""
        with self.operation.opened("sweep", f"{self.out.name}{part}") as reports:
            if self.ray is None:
                if self.ray_cores is not None:
                    raise InputError("--ray-cores is of --ray: give --ray too")
                run = self.prepare().complete(
                    shard,
                    progress=reports.show,
                    callback=reports.callback,
                    profile=self.operation.profile,
                )
            else:
                from salix.cli.ray_sweep import ray_sweep

                run = ray_sweep(self, reports)
        return print_summary(run)

    def prepare(self, workers: int | None = None) -> "PreparedRun":
        """Open the run, with `workers` threads that load images, to compute its ranges."""
        from salix.cli.sweep_preparation import prepare_command

        return prepare_command(self, workers)
