"""`salix explain`: pictures of the maps of single images."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from salix.cli.options import Option
from salix.cli.weight_options import WeightOptions
from salix.precision import Precision
from salix.typing import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class ExplainImages:
    """Explain one image, or a few, and write a picture of each with its map over it.

    Prints the prediction of each. For a data set use salix sweep.
    Example: salix explain face.png --model meso4 --weights Meso4_DF.h5 --out face-map.png
    """

    images: Annotated[tyro.conf.Positional[tuple[Path, ...]], Option(help="files of images")]
    model: Annotated[str, Option(help="architecture, for example meso4 or resnet50")]
    out: Annotated[
        Path, Option(help="file of the picture, or a folder for NAME-map.png of each image")
    ]
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    attribution: Annotated[
        str, Option(help="method, for example 'IntegratedGradients(steps=64)'")
    ] = "GradCAM()"
    score: Annotated[
        str, Option(help="explained score: 'logit()' of the predicted class, 'probability(1)', …")
    ] = "logit()"
    precision: Annotated[Precision, Option(help="of the model's products")] = "float32"
    opacity: Annotated[float, Option(help="share of the map in the picture, 0 to 1")] = 0.5
    array: Annotated[
        bool, Option(help="write each map as well, unscaled, as a NumPy file beside the picture")
    ] = False
    seed: Annotated[int, Option(help="seed of random methods")] = 0

    def run(self) -> int:
        """Explain the images; returns 1 if one could not be read, after all others."""
        from PIL import Image

        from salix import spec
        from salix.attribution import METHODS
        from salix.engine import image_explainer, model_pixels
        from salix.models import load
        from salix.plot import blend
        from salix.scores import SCORES

        pictures = self._pictures()
        model, params = load(self.model, self.weights.path, **self.weights.choice)
        if self.weights.path is None:
            print(f"{self.model} has random weights: give --weights", file=sys.stderr)
        explain = image_explainer(
            model,
            params,
            spec.parse(self.attribution, METHODS),
            score=spec.parse(self.score, SCORES),
            precision=self.precision,
            seed=self.seed,
        )
        status = 0
        for file, picture in zip(self.images, pictures, strict=True):
            try:
                pixels = model_pixels(model, file)
            except InputError as error:
                print(f"salix: {error}", file=sys.stderr)
                status = 1
                continue
            explanation = explain(pixels)
            map, logits = np.asarray(explanation.map), np.asarray(explanation.logits, np.float64)
            picture.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(blend(pixels, map, opacity=self.opacity)).save(picture)
            if self.array:
                np.save(picture.with_suffix(".npy"), map)
            shares = np.exp(logits - logits.max())
            best = int(logits.argmax())
            print(
                f"{file}: {model.classes[best]} ({shares[best] / shares.sum():.1%}); map "
                f"{map.shape[0]} x {map.shape[1]} of {model.classes[int(explanation.target)]}: "
                f"{picture}"
            )
        return status

    def _pictures(self) -> list[Path]:
        """Return the file of each image's picture; raises `InputError` where two would be one."""
        if not self.images:
            raise InputError("no image given: name files, salix explain face.png …")
        if len(self.images) == 1 and self.out.suffix.lower() in PICTURES:
            pictures = [self.out]
        elif self.out.suffix and not self.out.is_dir():
            raise InputError(
                f"--out {self.out}: give a folder, or for one image a file ({', '.join(PICTURES)})"
            )
        else:
            pictures = [self.out / f"{file.stem}-map.png" for file in self.images]
        inputs = {file.resolve() for file in self.images}
        for picture in pictures:
            if pictures.count(picture) > 1 or picture.resolve() in inputs:
                raise InputError(
                    f"{picture} would overwrite an image or another map: name another --out"
                )
        return pictures
