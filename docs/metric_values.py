"""Example values of every metric for the documentation: `python docs/metric_values.py [METRIC …]`.

Three maps of a photograph (coffee by Rachel Michetti, CC0, scikit-image) by EfficientNet-Lite0:
Grad-CAM, input x gradient, and random numbers, which no model decides. Writes
`docs/pictures/values.json` and the picture of the maps. A metric that has values is not computed
again, unless it is named.
"""

import json
import sys
import tempfile
from pathlib import Path

import jax
import numpy as np
from pictures import as_webp
from skimage import data

import salix
from salix import plot
from salix.attribution import GradCAM, InputXGradient
from salix.cli.catalogues import metric_records
from salix.data import Arrays
from salix.data.assets import fetch
from salix.engine import image_explainer, model_pixels
from salix.models import load
from salix.typing import InputError

FILE = Path(__file__).parent / "pictures/values.json"
PICTURE = FILE.with_name("metrics.webp")
TITLES = ("Grad-CAM", "Input x gradient", "random numbers")
CUP = (slice(12, 150), slice(42, 180))  # the reference mask: rows and columns of the cup
DEAREST = 250  # evaluations: dearer metrics have no example


def random_map(score, image, key):
    """Return normal random numbers, a map that does not depend on the model."""
    return jax.random.normal(key, image.shape)


def draw(model, params, pixels) -> bytes:
    """Return the picture of the three maps and of the reference mask."""
    methods = (GradCAM(), InputXGradient(), random_map)
    maps = [np.asarray(image_explainer(model, params, m)(pixels).map) for m in methods]
    mask = np.zeros(pixels.shape[:2])
    mask[CUP] = 1
    titles = (*TITLES, "reference mask")
    return as_webp(plot.grid([pixels], [[*maps, mask]], titles=titles, scale="map"), 900)


def values(names, model, params, pixels) -> dict[str, list[float | None]]:
    """Return the value of each metric for the three maps; None where it is undefined."""
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[CUP] = 255
    source = Arrays(pixels[None], reference_masks=[mask])
    with tempfile.TemporaryDirectory() as folder:
        run = salix.sweep(
            model,
            params,
            source,
            [GradCAM(), InputXGradient(), random_map],
            metrics=list(names),
            out=Path(folder) / "run",
        )
        rows = {name: run.rows[f"evaluation_{name}"][0] for name in names}
    return {
        name: [float(f"{v:.3g}") if np.isfinite(v) else None for v in row]
        for name, row in rows.items()
    }


def main(names: list[str]) -> None:
    """Compute the named metrics, or those without values, one group after another."""
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    model, params = load("efficientnet_lite0", fetch("efficientnet-lite0"))
    pixels = np.asarray(model_pixels(model, data.coffee()))
    if not PICTURE.exists():
        PICTURE.write_bytes(draw(model, params, pixels))
    groups: dict[str, list[str]] = {}
    for record in metric_records((224, 224, 3)):
        cost = record["passes"] or {"evaluations": 0, "gradients": 0, "explanations": 0}
        cheap = cost["evaluations"] + 3 * (cost["gradients"] + cost["explanations"]) <= DEAREST
        wanted = record["name"] in names if names else record["name"] not in stored
        if wanted and cheap and record["group"] != "similarity":
            groups.setdefault(record["group"], []).append(record["name"])
    for group in groups.values():
        try:
            stored |= values(group, model, params, pixels)
        except (InputError, KeyError):  # one of them: each by itself
            for name in group:
                try:
                    stored |= values([name], model, params, pixels)
                except (InputError, KeyError) as error:
                    print(f"{name}: {error}")
        FILE.write_text(json.dumps(dict(sorted(stored.items())), indent=1) + "\n")
        print(", ".join(group))


if __name__ == "__main__":
    main(sys.argv[1:])
