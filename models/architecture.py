"""Registry entry of an architecture, and preprocessings that several share."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from flax import nnx

from salix.models.checkpoints.naming import Naming, WeightTable
from salix.preprocess import Preprocess

DETECTOR = ("real", "fake")

# As torchvision preprocesses images for networks trained on ImageNet
IMAGENET = Preprocess(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
INCEPTION = Preprocess(size=(299, 299), mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
PHOTOGRAPHS = replace(IMAGENET, fit="crop", interpolation="bicubic")
VIT = replace(PHOTOGRAPHS, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
TENSORFLOW = replace(PHOTOGRAPHS, mean=(127 / 255,) * 3, std=(128 / 255,) * 3)
# As DeepfakeBench preprocesses crops of faces
FACES = replace(INCEPTION, size=(256, 256), interpolation="bicubic")
CLIP = replace(
    PHOTOGRAPHS,
    mean=(0.48145466, 0.4578275, 0.40821073),
    std=(0.26862954, 0.26130258, 0.27577711),
)


@dataclass(frozen=True)
class Architecture:
    """Registry entry of a classifier: constructor, preprocessing and published weights.

    `tables` has the names of published weights by file format, `salix.models.checkpoints.formats`.
    Names may be those of another arithmetic: `elsewhere` has the architecture that computes it.
    """

    build: Callable[[nnx.Rngs, int], nnx.Module]  # rngs, number of classes
    preprocess: Preprocess
    classes: tuple[str, ...]
    parameters: int  # number of trained weights, with the default classes
    source: str
    fixed: bool = False  # the number of classes is part of the architecture
    tables: Mapping[str, WeightTable | Naming] = field(default_factory=dict)
    head: str = ""  # the array with one element per class
    unused: tuple[str, ...] = ()  # prefixes of arrays in published files that are no weights
    beside: Callable[[Collection[str]], frozenset[str]] | None = (
        None  # names of a file -> of no part
    )
    ones: tuple[str, ...] = ()  # suffixes of arrays absent from published files, which are one
    elsewhere: Mapping[str, str] = field(default_factory=dict)  # origin of names -> architecture
    remarks: Mapping[str, str] = field(default_factory=dict)  # origin of names -> a line for stderr
    unreadable: Mapping[int, str] = field(default_factory=dict)  # outputs -> whose other network

    def __post_init__(self):
        for name in ("tables", "elsewhere", "remarks", "unreadable"):  # read-only
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))


def detector(
    build: Callable[[nnx.Rngs, int], nnx.Module],
    preprocess: Preprocess,
    *,
    torch: Naming | None = None,
    head: str = "fc.bias",
    **about: Any,
) -> Architecture:
    """Return the entry of a detector of real and fake, of other classes too.

    `torch` names its weights in PyTorch files; `about` are other fields of `Architecture`.
    """
    tables = {"torch": torch} if torch else {}
    return Architecture(build, preprocess, DETECTOR, tables=tables, head=head, **about)
