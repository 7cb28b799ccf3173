"""Example values of every metric for the documentation: `python docs/metric_values.py [METRIC …]`.

Three maps of a photograph (coffee by Rachel Michetti, CC0, scikit-image) by EfficientNet-Lite0:
Grad-CAM, input x gradient, and random numbers, which no model decides. Metrics of two maps compare
each with that of Grad-CAM. Writes `docs/pictures/values.json` and the picture of the maps. A metric
that has values is not computed again, unless it is named. Those in `DEAREST` have none.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import jax
import numpy as np
from family_pictures import DEAREST
from pictures import as_webp
from skimage import data

import salix
from salix import plot
from salix.attribution import GradCAM, InputXGradient
from salix.cli.catalogues import metric_records
from salix.data import Arrays
from salix.data.assets import fetch
from salix.engine import image_explainer, model_pixels
from salix.metrics import METRICS, scale
from salix.models import load
from salix.typing import InputError

FILE = Path(__file__).parent / "pictures/values.json"
PICTURE = FILE.with_name("metrics.webp")
TITLES = ("Grad-CAM", "Input x gradient", "random numbers")
CUP = (slice(12, 150), slice(42, 180))  # the reference mask: rows and columns of the cup
DEAR = 250  # evaluations: metrics that are computed by themselves


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
    return {name: [rounded(value) for value in row] for name, row in rows.items()}


def similarities(names, model, params, pixels) -> dict[str, list[float | None]]:
    """Return the value of each metric of two maps: of the three maps, and of that of Grad-CAM."""
    methods = (GradCAM(), InputXGradient(), random_map)
    maps = [image_explainer(model, params, method)(pixels).map for method in methods]
    side = pixels.shape[:2]
    wide = [scale(m if m.shape == side else jax.image.resize(m, side, "linear"))[0] for m in maps]
    functions = {name: METRICS[name].function for name in names}
    return {n: [rounded(f(map, wide[0])) for map in wide] for n, f in functions.items()}


def rounded(value) -> float | None:
    """Return a number to three digits; None for one that is not finite."""
    return float(f"{float(value):.3g}") if np.isfinite(value) else None


def evaluations(record) -> int:
    """Return the cost of a metric in evaluations, where a gradient counts as three."""
    cost = record["passes"] or {"evaluations": 0, "gradients": 0, "explanations": 0}
    return cost["evaluations"] + 3 * (cost["gradients"] + cost["explanations"])


def main(names: list[str]) -> None:
    """Compute the named metrics, or those without values, group by group and the dear ones last."""
    stored = json.loads(FILE.read_text()) if FILE.exists() else {}
    model, params = load("efficientnet_lite0", fetch("efficientnet-lite0"))
    pixels = np.asarray(model_pixels(model, data.coffee()))
    if not PICTURE.exists():
        PICTURE.write_bytes(draw(model, params, pixels))
    groups: dict[str, list[str]] = {}
    for record in sorted(metric_records((224, 224, 3)), key=evaluations):
        name, cost = record["name"], evaluations(record)
        wanted = name in names if names else name not in {*stored, *DEAREST}
        if wanted:
            group = f"{record['group']}{f' {name}' * (cost > DEAR)}"
            groups.setdefault(group, []).append(name)
    for group, members in groups.items():
        compute = similarities if group == "similarity" else values
        start = time.perf_counter()
        for part in (members, *([name] for name in members)):  # each by itself if one fails
            try:
                stored |= compute(part, model, params, pixels)
            except (InputError, KeyError) as error:
                print(f"{', '.join(part)}: {error}")
                continue
            if part is members:
                break
        FILE.write_text(json.dumps(dict(sorted(stored.items())), indent=1) + "\n")
        print(f"{', '.join(members)}: {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
