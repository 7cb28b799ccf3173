"""Protocols 1 and 2 of OW-DFA: classes, their sources and counts of images.

Sun et al. (2023), arXiv:2309.11132: counts of the paper's tables.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class ProtocolClass:
    """A class of a protocol: its data set and method, type of forgery, and counts of images.

    Its folder is `source`/`method`. Without labels a class is novel. Real images are a class for
    each source.
    """

    source: str
    method: str
    kind: str
    labelled: int
    unlabelled: int

    @property
    def known(self) -> bool:
        """Whether images of the class have labels."""
        return self.labelled > 0

    @property
    def name(self) -> str:
        """The folder, which tells the two classes of StyleGAN2 apart."""
        return f"{self.source}/{self.method}"


def _known(source: str, method: str, kind: str) -> ProtocolClass:
    return ProtocolClass(source, method, kind, 1500, 500)


def _novel(source: str, method: str, kind: str) -> ProtocolClass:
    return ProtocolClass(source, method, kind, 0, 1500)


_SWAP, _TRANSFER = "identity swap", "expression transfer"
_ATTRIBUTE, _SYNTHESIS = "attribute manipulation", "whole-face synthesis"
FORGERIES = (
    _known("FaceForensics++", "Deepfakes", _SWAP),
    _known("ForgeryNet", "DeepFaceLab", _SWAP),
    _known("FaceForensics++", "Face2Face", _TRANSFER),
    _known("ForgeryNet", "FOMM", _TRANSFER),
    _known("ForgeryNet", "MaskGAN", _ATTRIBUTE),
    _known("DFFD", "FaceAPP", _ATTRIBUTE),
    _known("DFFD", "StyleGAN", _SYNTHESIS),
    _known("ForgeryNIR", "CycleGAN", _SYNTHESIS),
    _novel("FaceForensics++", "FaceSwap", _SWAP),
    _novel("ForgeryNet", "FaceShifter", _SWAP),
    _novel("ForgeryNet", "FSGAN", _SWAP),
    _novel("FaceForensics++", "NeuralTextures", _TRANSFER),
    _novel("ForgeryNet", "ATVG-Net", _TRANSFER),
    _novel("ForgeryNet", "Talking-Head-Video", _TRANSFER),
    _novel("ForgeryNet", "StarGAN2", _ATTRIBUTE),
    _novel("ForgeryNet", "SC-FEGAN", _ATTRIBUTE),
    _novel("DFFD", "StarGAN", _ATTRIBUTE),
    _novel("ForgeryNet", "StyleGAN2", _SYNTHESIS),
    _novel("DFFD", "PGGAN", _SYNTHESIS),
    _novel("ForgeryNIR", "StyleGAN2", _SYNTHESIS),
)
# Known classes are first, for their numbers are their labels.
PROTOCOLS: Mapping[int, tuple[ProtocolClass, ...]] = MappingProxyType(
    {
        1: FORGERIES,
        2: (
            ProtocolClass("FaceForensics++", "Youtube-Real", "real", 15000, 5000),
            *FORGERIES,
            ProtocolClass("Celeb-DF", "Celeb-Real", "real", 0, 5000),
        ),
    }
)
