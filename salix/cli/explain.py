"""`salix explain`: maps of single images by one method or several, as figures and arrays."""

import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import tyro

from salix.cli.costs import method_passes
from salix.cli.explanation_files import ExplanationWriter, MapStyle, output_files
from salix.cli.options import Option
from salix.cli.weight_options import WeightOptions
from salix.precision import Precision
from salix.typing import InputError

COMPILATION = " with compilation"


@dataclass(frozen=True)
class ExplainImages:
    """Explain one image, or a few, by one method or several, and write the maps of each.

    Several methods stand side by side in one figure with one printed colour scale. Prints the
    prediction, the explained class, and the cost of each method. For a data set use salix sweep.
    Example: salix explain photo.jpg --model resnet50 --weights resnet50.safetensors
    --method GradCAM 'IntegratedGradients(steps=64)' --out maps.pdf maps.npz
    """

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], Option(help="files of images")]
    model: Annotated[str, Option(help="architecture, for example meso4 or resnet50")]
    out: Annotated[
        tuple[Path, ...],
        Option(
            help="files to write, by their suffix a picture (.png, .pdf, .svg; of one method also "
            ".jpg, .webp) or the unscaled maps (.npy of one method, .npz of several, by their "
            "names); or a folder, for NAME-map.png of each image"
        ),
    ]
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    method: Annotated[
        tuple[str, ...],
        Option(
            help="methods, for example GradCAM 'IntegratedGradients(steps=64)': see salix methods; "
            "by default as salix sweep"
        ),
    ] = ()
    target: Annotated[
        str | None, Option(help="explained class, by name or number; the predicted one by default")
    ] = None
    score: Annotated[
        str, Option(help="explained score: 'logit()', 'probability()', 'margin()'")
    ] = "logit()"
    cut: Annotated[
        str | None, Option(help="place where CAM methods read features, for example layer3")
    ] = None
    precision: Annotated[Precision, Option(help="of the model's products")] = "float32"
    scale: Annotated[
        Literal["map", "row"],
        Option(
            help="colour scale of several methods: map, each map over its own magnitude, or row, "
            "one scale of the values themselves"
        ),
    ] = "map"
    style: Annotated[MapStyle, tyro.conf.OmitArgPrefixes] = field(default_factory=MapStyle)
    seed: Annotated[int, Option(help="seed of random methods")] = 0

    def run(self) -> int:
        """Explain the images; returns 1 if one could not be read, after all others."""
        from salix import spec
        from salix.attribution import ARGUMENTS, METHODS
        from salix.engine import image_explainer, model_pixels
        from salix.engine.image_run import default_attribution
        from salix.measures.method_text import method_text
        from salix.models import load

        methods = [spec.parse(text, METHODS, ARGUMENTS) for text in self.method]
        if repeated := {m for m in methods if methods.count(m) > 1}:
            raise InputError(f"--method names {repeated.pop()!r} twice: leave one out")
        outputs = output_files(self.images, self.out, several=len(methods) > 1)
        writer = ExplanationWriter(len(methods) > 1, self.scale, self.style)
        writer.check(outputs[0])
        model, params = load(self.model, self.weights.path, **self.weights.choice)
        model = model if self.cut is None else model.at(self.cut)
        if self.weights.path is None:
            print(f"{self.model} has random weights: give --weights", file=sys.stderr)
        methods = methods or [default_attribution(model)]
        options = {"score": self._score(model.classes), "precision": self.precision}
        explainers = {
            method_text(method): image_explainer(model, params, method, seed=self.seed, **options)
            for method in methods
        }
        shape = (*model.preprocess.size, model.preprocess.channels)
        costs = {method_text(method): method_passes(method, shape) for method in methods}
        status, compiled = 0, False
        for file, paths in zip(self.images, outputs, strict=True):
            try:
                pixels = model_pixels(model, file)
            except InputError as error:
                print(f"salix: {error}", file=sys.stderr)
                status = 1
                continue
            maps: dict[str, np.ndarray] = {}
            for name, explain in explainers.items():
                start = time.perf_counter()
                explanation = explain(pixels)
                maps[name] = np.asarray(explanation.map)
                seconds = f"{time.perf_counter() - start:.2g} s"
                if len(maps) == 1:
                    print(_decision(file, explanation, model.classes))
                facts = filter(None, (_map_size(maps[name]), costs[name], seconds))
                print(f"  {name}: {', '.join(facts)}{'' if compiled else COMPILATION}")
            compiled = True
            for path in paths:
                writer.write(path, file.name, np.asarray(pixels), maps)
            print(f"  {', '.join(map(str, paths))}")
        return status

    def _score(self, classes: tuple[str, ...]) -> Any:
        """Return the explained score of the class `--target`."""
        from salix import spec
        from salix.scores import SCORES

        score = spec.parse(self.score, SCORES)
        if self.target is None:
            return score
        if score.target is not None:
            raise InputError(
                f"--target {self.target} and --score {self.score} both name a class: leave one out"
            )
        number = self.target.isdecimal() and self.target not in classes
        return replace(score, target=int(self.target) if number else self.target)


def _map_size(map: np.ndarray) -> str:
    return f"map of {' x '.join(str(side) for side in map.shape)}"


def _decision(file: Path, explanation: Any, classes: tuple[str, ...]) -> str:
    """Return a line on what the model predicts and which class is explained."""
    logits = np.asarray(explanation.logits, np.float64)
    shares = np.exp(logits - logits.max())
    best, target = int(logits.argmax()), int(explanation.target)
    share = shares / shares.sum()
    explained = f"{classes[target]} ({share[target]:.1%})" if target != best else "the same"
    return f"{file}: predicted {classes[best]} ({share[best]:.1%}), explained class {explained}"
