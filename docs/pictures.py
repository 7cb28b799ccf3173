"""Pictures of the documentation: every attribution method on two photographs, by a real network.

    python docs/pictures.py            # the methods whose picture is missing or has other settings
    python docs/pictures.py GradCAM    # these again

The network is EfficientNet-Lite0, and of the methods of attention a CLIP ViT-B/16 that detects
generated images, with published weights (`salix.data.assets`), fetched at first use. The
photographs are of scikit-image: coffee by Rachel Michetti and chelsea by Stéfan van der Walt, both
CC0. Building the site reads the small WebP files and fetches nothing.
"""

import json
import sys
import time
from functools import cache
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

from salix import plot, spec
from salix.attribution import ARGUMENTS, CATALOGUE, METHODS
from salix.data.assets import fetch
from salix.engine import image_explainer, model_pixels
from salix.measures.method_text import method_text
from salix.models import load
from salix.typing import InputError

FOLDER = Path(__file__).parent / "pictures"
INDEX = FOLDER / "index.json"
PHOTOGRAPHS = ("coffee", "chelsea")
CLASSES = {967: "espresso", 285: "Egyptian cat"}  # of ImageNet, by their number
# Settings other than the default ones, where these take minutes an image on a CPU.
SETTINGS: dict[str, str] = {
    "VarGrad": "VarGrad(samples=32)",
    "GuidedIG": "GuidedIG(steps=50)",
    "BlurIG": "BlurIG(steps=50)",
    "ShapleySampling": "ShapleySampling(permutations=12)",
    "KernelSHAP": "KernelSHAP(samples=500)",
    "LIME": "LIME(samples=500)",
    "RISE": "RISE(masks=800)",
    "Sobol": "Sobol(designs=12)",
    "HSIC": "HSIC(masks=600)",
}
NETWORKS = {  # model and weights
    "network": ("efficientnet_lite0", "efficientnet-lite0"),
    "transformer": ("clip_vit_b16", "clip-detector"),
}
WIDTH = 520  # pixels of a picture


def draw(name: str, model, params) -> tuple[bytes, str]:
    """Return the picture of a method as WebP, and the text of its settings."""
    method = spec.parse(SETTINGS.get(name, name), METHODS, ARGUMENTS)
    explain = image_explainer(model, params, method)
    images, maps, rows = [], [], []
    for photograph in PHOTOGRAPHS:
        pixels = np.asarray(model_pixels(model, getattr(data, photograph)()))
        explanation = explain(pixels)
        logits = np.asarray(explanation.logits, np.float64)
        share = 1 / np.exp(logits - logits.max()).sum()
        images.append(pixels)
        maps.append([np.asarray(explanation.map)])
        best = int(logits.argmax())
        name = CLASSES[best] if len(logits) == 1000 else model.classes[best]
        rows.append(f"{name} ({share:.0%})")
    figure = plot.grid(images, maps, titles=[method_text(method)], rows=rows, scale="map")
    return as_webp(figure, WIDTH), method_text(method)


def as_webp(figure, width: int) -> bytes:
    """Return a figure as WebP of a width in pixels."""
    stream = BytesIO()
    figure.savefig(stream, dpi=200, bbox_inches="tight", pad_inches=0.04)
    picture = Image.open(stream).convert("RGB")
    height = round(picture.height * width / picture.width)
    shrunk = picture.resize((width, height), Image.Resampling.LANCZOS)
    small = BytesIO()
    shrunk.save(small, "WEBP", quality=45, method=6)
    return small.getvalue()


def main(names: list[str]) -> None:
    """Draw the named methods, or all that are missing, and write the index of pictures."""
    index = json.loads(INDEX.read_text()) if INDEX.exists() else {}
    loaded = cache(lambda kind: load(NETWORKS[kind][0], fetch(NETWORKS[kind][1])))
    for name in names or METHODS:
        wanted = method_text(spec.parse(SETTINGS.get(name, name), METHODS, ARGUMENTS))
        if not names and index.get(name) == wanted and (FOLDER / f"{name}.webp").exists():
            continue
        start = time.perf_counter()
        try:
            kind = "transformer" if CATALOGUE[name].family == "attention" else "network"
            content, text = draw(name, *loaded(kind))
        except InputError as error:  # of a method that does not fit the network
            print(f"{name}: no picture: {str(error)[:200]}")
            continue
        (FOLDER / f"{name}.webp").write_bytes(content)
        index[name] = text
        INDEX.write_text(json.dumps(dict(sorted(index.items())), indent=1) + "\n")
        print(f"{name}: {len(content) / 1000:.0f} kB, {time.perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
