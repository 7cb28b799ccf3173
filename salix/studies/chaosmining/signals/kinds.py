"""Kinds of sets, each with its networks, methods and metrics."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from flax import nnx

from salix.attribution import DeepLIFT, FeatureAblation, Gradient, IntegratedGradients
from salix.perturb.partition import Grid
from salix.studies.chaosmining.signals import image_networks, sound_networks
from salix.studies.chaosmining.signals.data import SignalSet
from salix.studies.chaosmining.signals.foregrounds import (
    Foregrounds,
    read_pictures,
    read_recordings,
)
from salix.studies.chaosmining.signals.images import BOX, SIDE, image_set
from salix.studies.chaosmining.signals.metrics import (
    box_iou,
    channel_auc,
    channel_hit,
    channel_share,
    pixel_auc,
)
from salix.studies.chaosmining.signals.sounds import CHANNELS, RECORDING, SAMPLES, SPREAD, sound_set
from salix.typing import Method

Metric = Callable[[Any, Any], Any]  # (attributions, places) -> a value for each example


@dataclass(frozen=True)
class Kind:
    """A kind of example: its data, networks, methods and metrics by name.

    `data(setting, foregrounds, seed=)` returns a set, with foregrounds of its own for None, and
    `read(folder)` those of a user. A network is built from `nnx.Rngs`, and a metric maps
    attributions [n *space c] and places [n p] to a value for each example.
    """

    name: str
    data: Callable[..., SignalSet]
    read: Callable[[Path], Foregrounds]
    networks: Mapping[str, Callable[[nnx.Rngs], nnx.Module]]
    methods: Mapping[str, Method]
    metrics: Mapping[str, Metric]


def _methods(grid: int) -> dict[str, Method]:
    """Return the methods of the release by their codes, with baseline 0."""
    return {
        "SA": Gradient(),
        "DL": DeepLIFT(),
        "IG": IntegratedGradients(steps=20, rule="gauss_legendre"),
        "FA": FeatureAblation(Grid(side=grid)),
    }


KINDS: dict[str, Kind] = {
    "vision": Kind(
        "vision",
        image_set,
        partial(read_pictures, side=BOX),
        image_networks.NETWORKS,
        _methods(SIDE // BOX),
        {
            "box IoU": partial(box_iou, side=BOX, sigma=6 * SIDE / 224),
            "pixel AUC": partial(pixel_auc, side=BOX),
        },
    ),
    "audio": Kind(
        "audio",
        sound_set,
        partial(read_recordings, samples=SAMPLES, seconds=RECORDING, spread=SPREAD),
        sound_networks.NETWORKS,
        _methods(CHANNELS),
        {"channel share": channel_share, "channel AUC": channel_auc, "channel top-1": channel_hit},
    ),
}
