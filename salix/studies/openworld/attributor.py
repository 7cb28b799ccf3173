"""Attribution of a new image to a family or a novel cluster, with its evidence."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from flax import nnx
from jaxtyping import Float, Int, UInt8

from salix.atomic import atomic
from salix.engine import model_pixels
from salix.models.checkpoints.module_state import WEIGHTS, arrays
from salix.plot import blend
from salix.preprocess import GREY
from salix.studies.openworld.clusters import unit_features
from salix.studies.openworld.data import OpenWorldSet
from salix.studies.openworld.evidence import METHOD, as_model, explainer
from salix.studies.openworld.experiment import read_network
from salix.studies.openworld.metrics import best_matching
from salix.studies.openworld.network import NeckedNetwork
from salix.studies.openworld.training import predict
from salix.studies.trial_files import read_arrays, read_json, write_arrays, write_json
from salix.typing import InputError

ENLARGED = 6  # times, of the written picture
FAR = 0.01  # share of training images that lie farther from their centre than the limit


@dataclass(frozen=True, eq=False)
class Attributor:
    """A trained network with the names, centres and limits of its classes.

    `centres` are the mean unit features of the training images of each predicted class, and
    `limit` the cosine to it that 1 % of them stay below.
    """

    network: NeckedNetwork
    names: tuple[str, ...]
    known: int
    centres: Float[np.ndarray, "classes k"]
    limit: float
    side: int


@dataclass(frozen=True, eq=False)
class FamilyAttribution:
    """Class of an image: its name, probability and place among the classes, with the map.

    `nearest` are classes with the cosine of the image's features to their centres, the nearest
    first. `unlike` says that the image is farther from its class than 99 % of the training images.
    """

    name: str
    known: bool
    confidence: float
    nearest: Mapping[str, float]
    unlike: bool
    pixels: UInt8[np.ndarray, "h w 3"]
    map: Float[np.ndarray, "y x"]

    def row(self) -> dict[str, Any]:
        """Return the attribution without its pictures."""
        names = ("name", "known", "confidence", "nearest", "unlike")
        return {name: getattr(self, name) for name in names}


def class_names(
    data: OpenWorldSet, predictions: Int[np.ndarray, " n"], test: Int[np.ndarray, " m"]
) -> tuple[str, ...]:
    """Return the families of known classes, and of novel ones numbers with what matches them.

    The match is that of predictions of novel test faces; a cluster without one is a number alone.
    """
    known = len(np.unique(data.labels[data.known]))
    novel = test[~data.known[test]]
    match = best_matching(data.labels[novel], predictions[novel])
    used = set(np.unique(predictions[novel]).tolist())
    names = list(data.names[:known])
    for c in range(known, len(data.names)):
        family = data.names[match[c]] if c in used and match[c] >= known else ""
        names.append(f"novel cluster {c - known + 1}" + (f" ({family})" if family else ""))
    return tuple(names)


def build_attributor(network: NeckedNetwork, data: OpenWorldSet) -> Attributor:
    """Return the attributor of a network on the families of its set."""
    logits, features = predict(network, data.x)
    features, predictions = unit_features(features), logits.argmax(-1)
    train = ~data.test
    centres = np.zeros((len(data.names), features.shape[1]), np.float32)
    for c in range(len(data.names)):
        rows = train & (predictions == c)
        if rows.any():
            centres[c] = unit_features(features[rows].mean(0, keepdims=True))[0]
    near = (features[train] * centres[predictions[train]]).sum(1)
    names = class_names(data, predictions, np.flatnonzero(data.test))
    known = len(np.unique(data.labels[data.known]))
    limit = float(np.quantile(near, FAR))
    return Attributor(network, names, known, centres, limit, data.x.shape[1])


def attribute_image(attributor: Attributor, image: Any, *, count: int = 3) -> FamilyAttribution:
    """Attribute an image: an array of 8 bits, or the path of a file.

    It is resized to the side of the training images; resizing leaves traces of its own. Raises
    `InputError` for a file that is no image.
    """
    model, _ = as_model(attributor.network, attributor.names, attributor.side)
    pixels = model_pixels(model, image)
    grey = np.rint(pixels @ GREY).astype(np.uint8)
    pixels = np.repeat(grey[..., None], 3, axis=-1)  # as the training images
    logits, features = predict(attributor.network, pixels[None], batch=1)
    cosines = attributor.centres @ unit_features(features)[0]
    best = int(logits[0].argmax())
    p = np.exp(logits[0] - np.logaddexp.reduce(logits[0]))
    order = np.argsort(-cosines)[:count]
    explanation = explainer(attributor.network, attributor.names, attributor.side)(pixels)
    return FamilyAttribution(
        attributor.names[best],
        best < attributor.known,
        float(p[best]),
        {attributor.names[i]: float(cosines[i]) for i in order},
        bool(cosines[best] < attributor.limit),
        pixels,
        np.asarray(explanation.map),
    )


def write_attributor(out: Path, attributor: Attributor) -> None:
    """Write an attributor's network and centres into a folder."""
    weights = arrays(nnx.state(attributor.network, WEIGHTS))
    write_arrays(out / "attributor.npz", weights)
    write_arrays(out / "centres.npz", {"centres": attributor.centres})
    names = ("names", "known", "limit", "side")
    write_json(out / "attributor.json", {name: getattr(attributor, name) for name in names})


def read_attributor(out: Path) -> Attributor:
    """Return the attributor of a finished study; raises `InputError` where there is none."""
    about, centres = read_json(out / "attributor.json"), read_arrays(out / "centres.npz")
    network = None
    if about is not None:
        network = read_network(out / "attributor.npz", len(about["names"]), seed=0)
    if about is None or centres is None or network is None:
        raise InputError(
            f"{out} has no attributor: train one first, salix study openworld --out {out}"
        )
    names = tuple(about["names"])
    return Attributor(
        network, names, about["known"], centres["centres"], about["limit"], about["side"]
    )


def write_attribution(out: Path, image: Path, attribution: FamilyAttribution) -> Path:
    """Write the map over the image as a picture and the attribution as JSON; returns the former."""
    from PIL import Image

    path = out / "attributed" / f"{image.stem}.png"
    write_json(path.with_suffix(".json"), attribution.row() | {"method": repr(METHOD)})
    drawn = Image.fromarray(blend(attribution.pixels, attribution.map))
    large = drawn.resize(
        (ENLARGED * drawn.width, ENLARGED * drawn.height), Image.Resampling.NEAREST
    )
    with atomic(path) as unfinished:
        large.save(unfinished, "PNG")
    return path


def print_attribution(attribution: FamilyAttribution, picture: Path) -> None:
    """Print the class of an image, what is near it, and where its map is."""
    kind = "known" if attribution.known else "novel"
    print(f"{attribution.name} ({kind}), confidence {attribution.confidence:.2f}")
    near = ", ".join(f"{name} {cosine:.2f}" for name, cosine in attribution.nearest.items())
    print(f"nearest: {near}")
    if attribution.unlike:
        print("unlike the training images: it lies farther from its class than 99 % of them")
    print(f"map: {picture}")
