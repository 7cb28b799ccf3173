"""The command line: parse, call, print. Every command's `--help` ends with an example."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from salix import launch
from salix.models.conv import Precision
from salix.typing import InputError

Given = tyro.conf.arg
DATA = "DIR (sub-folders are classes), FILE.csv (path, label, map), tfds:NAME:SPLIT or CLASS=DIR"


@dataclass(frozen=True)
class Demo:
    """Train small detectors of re-generated faces, see what they look at, and write a report.

    Example: salix demo --out salix-demo
    """

    out: Annotated[Path, Given(help="directory for the runs and report.html")] = Path("salix-demo")
    real: Annotated[Path | None, Given(help="folder of your own real faces")] = None
    fake: Annotated[Path | None, Given(help="folder of your own generated faces")] = None
    seeds: Annotated[int, Given(help="detectors trained with each loss")] = 3
    offline: Annotated[bool, Given(help="use only the faces inside scikit-image")] = False

    def run(self) -> int:
        """Run the demo."""
        from salix.studies.demo import demo

        demo(self.out, real=self.real, fake=self.fake, seeds=self.seeds, offline=self.offline)
        return 0


@dataclass(frozen=True)
class Train:
    """Train a detector with one or several seeds; run it again to go on after a stop.

    Example: salix train --arch resnet50 --weights resnet50.pth --data real=photos fake=portraits
    --guides heatmaps --recipe cyborg --seeds 10 --out trained
    """

    arch: Annotated[str, Given(help="architecture, for example resnet50", aliases=["--model"])]
    data: Annotated[
        list[str],
        Given(help=DATA),
    ]
    out: Annotated[Path, Given(help="directory of the training: made, or gone on with")]
    validation: Annotated[list[str], Given(help="data to validate with, as --data")] = field(
        default_factory=list
    )
    guides: Annotated[
        Path | None, Given(help="folder of grey maps, each named by the id of its image")
    ] = None
    weights: Annotated[Path | None, Given(help="checkpoint to start from")] = None
    classes: Annotated[list[str], Given(help="names of the outputs, in order")] = field(
        default_factory=list
    )
    recipe: Annotated[
        str,
        Given(help="cyborg, cross_entropy, adamw, or 'Recipe(CYBORG(0.5), SGD(), epochs=20)'"),
    ] = "adamw"
    loss: Annotated[str | None, Given(help="another loss, for example 'ModelFocus(0.5)'")] = None
    held_out: Annotated[
        float | None, Given(help="share of each class to validate with, where no data are given")
    ] = None
    seeds: Annotated[int, Given(help="how many networks are trained, each from its own seed")] = 1
    first_seed: Annotated[int, Given(help="seed of the first of them")] = 0
    together: Annotated[
        bool | None, Given(help="train the seeds as one program; by default where that is faster")
    ] = None

    def run(self) -> int:
        """Train, and save the best and the last weights of each seed."""
        from dataclasses import replace

        from salix import spec
        from salix.data import open_source
        from salix.models import save
        from salix.train import LOSSES, train
        from salix.train.guides import Guided
        from salix.train.recipe import PRESETS, RECIPES
        from salix.train.start import starts

        recipe = PRESETS.get(self.recipe) or spec.parse(self.recipe, RECIPES)
        if self.loss is not None:
            recipe = replace(recipe, loss=spec.parse(self.loss, LOSSES))
        if self.held_out is not None:
            recipe = replace(recipe, validation=self.held_out)
        source = open_source(self.data)
        build, about = starts(self.arch, self.weights, self.classes or None)
        trained = train(
            build,
            source if self.guides is None else Guided(source, self.guides),
            recipe,
            seeds=range(self.first_seed, self.first_seed + self.seeds),
            validation=open_source(self.validation) if self.validation else None,
            out=self.out,
            together=self.together,
            title=self.out.name,
            progress=True,
            tell=lambda line: print(line, file=sys.stderr),
            **about,
        )
        best = self.out
        for one in trained:
            for kind, params in (("best", one.params), ("last", one.last)):
                file = self.out / f"{self.arch}-{one.seed}-{kind}.safetensors"
                save(file, self.arch, params, about["classes"])
            best = self.out / f"{self.arch}-{one.seed}-best.safetensors"
            print(f"{best}: seed {one.seed}, epoch {one.epoch + 1} of {recipe.epochs}")
        print(f"next: salix sweep --model {self.arch} --weights {best} --data … --out …")
        return 0


@dataclass(frozen=True)
class Sweep:
    """Explain every image of a data set with one model; run it again to go on after a stop.

    Example: salix sweep --model meso4 --weights Meso4_DF.h5 --data real=photos fake=portraits
    --out runs/meso4
    """

    model: Annotated[str, Given(help="architecture, for example meso4")]
    data: Annotated[
        list[str],
        Given(help=DATA),
    ]
    out: Annotated[Path, Given(help="directory of the run: made, or gone on with")]
    weights: Annotated[Path | None, Given(help="checkpoint: .safetensors, .h5, .pth")] = None
    attribution: Annotated[
        str, Given(help="method, for example 'IntegratedGradients(steps=64)'")
    ] = "GradCAM()"
    score: Annotated[str, Given(help="what is explained: logit(), probability(1), margin() …")] = (
        "logit()"
    )
    precision: Annotated[
        Precision,
        Given(help="of the model's products: less is faster where the device has units for it"),
    ] = "float32"
    measures: Annotated[
        list[str], Given(help="paper, standard, or measures such as 'Noise(kind=\"jpeg\")'")
    ] = field(default_factory=list)
    batch_size: Annotated[int, Given(help="images explained at once")] = 32
    seed: Annotated[int, Given(help="seed of random methods")] = 0
    name: Annotated[str | None, Given(help="name in reports; the directory's by default")] = None
    group: Annotated[str | None, Given(help="name shared by runs that differ by seed")] = None
    labels: Annotated[bool, Given(help="use folder names or the CSV's labels as classes")] = True

    def run(self) -> int:
        """Run the sweep and print where its rows are."""
        from salix import spec
        from salix.attribution import METHODS
        from salix.data import Unlabelled, open_source
        from salix.measures import MEASURES
        from salix.measures.presets import PRESETS
        from salix.model import SCORES
        from salix.models import load
        from salix.sweep import sweep

        source = open_source(self.data)
        model, params = load(self.model, self.weights)
        if self.weights is None:
            print(f"{self.model} has random weights: give --weights", file=sys.stderr)
        measures = [m for t in self.measures for m in PRESETS.get(t) or (spec.parse(t, MEASURES),)]
        run = sweep(
            model,
            params,
            source if self.labels else Unlabelled(source),
            spec.parse(self.attribution, METHODS),
            measures,
            out=self.out,
            score=spec.parse(self.score, SCORES),
            precision=self.precision,
            batch_size=self.batch_size,
            seed=self.seed,
            name=self.name or self.out.name,
            group=self.group,
            progress=True,
        )
        skipped = len(run.skipped)
        print(f"{run.path}: {len(run.table) - skipped} images explained, {skipped} skipped")
        for row in run.skipped[:5]:
            print(f"  skipped {row['id']}: {row['skipped']}")
        if skipped > 5:
            print(f"  … and {skipped - 5} more, with their reasons in the report")
        print(f"next: salix report {run.path} --out report.html")
        return 0


@dataclass(frozen=True)
class Report:
    """Compare runs in one HTML page that needs no network.

    Example: salix report runs/* --out report.html
    """

    runs: Annotated[tyro.conf.Positional[list[Path]], Given(help="directories of runs")]
    out: Annotated[Path, Given(help="the page to write")] = Path("report.html")
    title: Annotated[str, Given(help="its title")] = "What these models look at"
    in_set: Annotated[
        list[str], Given(help="collections (folders) that the others are compared with")
    ] = field(default_factory=list)

    def run(self) -> int:
        """Write the report."""
        from salix import report, store

        runs = store.read_runs(self.runs)
        page = report.write(runs, self.out, title=self.title, in_set=self.in_set or None)
        print(f"{page}: {len(runs)} runs")
        return 0


@dataclass(frozen=True)
class Convert:
    """Turn a checkpoint of PyTorch, Keras or ONNX into safetensors that say what they are.

    Example: salix convert --model meso4 --weights Meso4_DF.h5 --out meso4.safetensors
    """

    model: Annotated[str, Given(help="architecture, for example resnet50")]
    weights: Annotated[Path, Given(help="checkpoint to read; nothing in it is executed")]
    out: Annotated[Path, Given(help="file to write, .safetensors")]
    classes: Annotated[list[str], Given(help="names of the outputs, in order")] = field(
        default_factory=list
    )

    def run(self) -> int:
        """Convert, and say what was written."""
        from salix.models import load, save

        if self.out.suffix != ".safetensors":
            raise InputError(f"{self.out} is not a .safetensors file: name one with --out")
        model, params = load(self.model, self.weights, self.classes or None)
        save(self.out, self.model, params, model.classes)
        print(f"{self.out}: {self.model} with {len(model.classes)} classes")
        return 0


@dataclass(frozen=True)
class Bench:
    """Time what Salix does with a model here, beside the most that this device can do.

    Example: salix bench --model resnet50 --workloads forward saliency ig --batch-size 8
    --out bench.json
    """

    model: Annotated[str, Given(help="architecture, for example resnet50")]
    weights: Annotated[Path | None, Given(help="checkpoint; random weights take as long")] = None
    workloads: Annotated[
        list[str],
        Given(
            help="forward, cam, gradcam, saliency, smoothgrad, ig, deletion, measures, paper: all"
        ),
    ] = field(default_factory=list)
    precision: Annotated[
        list[str], Given(help="float32, tf32, bfloat16, bfloat16_dots", aliases=["--precisions"])
    ] = field(default_factory=lambda: ["float32"])
    batch_size: Annotated[list[int], Given(help="images in one run", aliases=["--batch-sizes"])] = (
        field(default_factory=lambda: [8])
    )
    rounds: Annotated[int, Given(help="runs of each that are timed, in turn with the others")] = 5
    out: Annotated[Path | None, Given(help="file for the numbers, .json")] = None

    def run(self) -> int:
        """Time, print the table, and write it."""
        from salix.bench import WORKLOADS, bench, check, roofline, save, show
        from salix.models import load

        workloads = self.workloads or list(WORKLOADS)
        check(workloads, self.precision, self.batch_size, self.rounds)
        model, params = load(self.model, self.weights)
        ceilings = roofline(self.precision)
        rows = bench(
            model,
            params,
            workloads,
            self.precision,
            self.batch_size,
            self.rounds,
            progress=True,
            ceilings=ceilings,
        )
        show(rows, ceilings)
        if self.out is not None:
            save(self.out, rows, ceilings)
            print(f"{self.out}: {len(rows)} rows")
        return 0


COMMANDS = {
    "demo": Demo,
    "train": Train,
    "sweep": Sweep,
    "report": Report,
    "convert": Convert,
    "bench": Bench,
}
COMPUTE = (Demo, Train, Sweep, Bench)
ABOUT = """What image models look at, over whole datasets.

demo, train, sweep and bench keep freed memory for the next batch, and all but bench keep compiled
programs for the next command, in SALIX_CACHE (~/.cache/salix). In the environment
SALIX_KEEP_MEMORY=0 gives memory back, JAX_ENABLE_COMPILATION_CACHE=false keeps no program."""


def prepare(programs: bool) -> None:
    """Set up the process for a command that computes, before JAX has a device.

    `programs` are kept unless their compilation is what is timed.
    """
    if os.environ.get("SALIX_KEEP_MEMORY") != "0":
        launch.keep_memory()
    if programs:
        launch.cache_programs()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `salix`: returns 0, or 2 after one line that says what to do about bad input."""
    command: Any = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        args=arguments,
        prog="salix",
        description=ABOUT,
    )
    if isinstance(command, COMPUTE):
        prepare(programs=not isinstance(command, Bench))
    try:
        return command.run()
    except InputError as error:
        print(f"salix: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("salix: stopped; finished rows are kept, the same command goes on", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
