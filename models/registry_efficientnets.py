"""Registry entries of EfficientNets, whose names in a file show their arithmetic."""

from dataclasses import replace
from functools import partial
from typing import Any

from salix.models import efficientnet
from salix.models.architecture import (
    INCEPTION,
    PHOTOGRAPHS,
    TENSORFLOW,
    Architecture,
    detector,
)
from salix.models.efficientnet_names import torch_tables
from salix.preprocess import Preprocess

# EfficientNets whose names in a file show the arithmetic that another entry has
_DEEPFAKEBENCH = {"DeepfakeBench": "deepfakebench_efficientnet_b4"}
_B4_ELSEWHERE = {"efficientnet_pytorch": "efficientnet_pytorch_b4", **_DEEPFAKEBENCH}
_TF_B4_ELSEWHERE = {"torchvision": "efficientnet_b4", **_DEEPFAKEBENCH}
_STATIC = (
    "padded for the size of each image; efficientnet_pytorch pads every image as one of {0} px, "
    "which {1} does"
)
_LITE_REMARK = (
    "read as timm's tf_efficientnet_lite0; weights of timm's efficientnet_lite0 have the same "
    "names and other padding: load those as timm_efficientnet_lite0"
)


def _entry(
    build: Any, preprocess: Preprocess, parameters: int, weights: str, **about: Any
) -> Architecture:
    """Return the entry of an EfficientNet by the library whose weights it computes."""
    source = f"Tan and Le (2019), arXiv:1905.11946; weights: {weights}"
    about = {"source": source, "torch": torch_tables} | about
    return detector(build, preprocess, parameters=parameters, **about)


ENTRIES: dict[str, Architecture] = {
    "deepfakebench_efficientnet_b4": _entry(
        partial(efficientnet.efficientnet_b4, tf=True, side=380, pad_stem=False),
        replace(INCEPTION, size=(256, 256)),
        17_552_202,
        "DeepfakeBench",
        source="Yan et al. (2023), arXiv:2307.01426, DeepfakeBench: efficientnetb4",
        elsewhere={
            "torchvision": "efficientnet_b4",
            "timm": "efficientnet_b4 or tf_efficientnet_b4",
            "efficientnet_pytorch": "efficientnet_pytorch_b4",
        },
    ),
    "efficientnet_b0": _entry(
        efficientnet.efficientnet_b0,
        PHOTOGRAPHS,
        4_010_110,
        "torchvision, timm",
        elsewhere={"efficientnet_pytorch": "efficientnet_pytorch_b0"},
    ),
    "efficientnet_b4": _entry(
        efficientnet.efficientnet_b4,
        replace(PHOTOGRAPHS, size=(380, 380)),
        17_552_202,
        "torchvision, timm",
        elsewhere=_B4_ELSEWHERE,
    ),
    "efficientnet_lite0": _entry(
        efficientnet.efficientnet_lite0,
        TENSORFLOW,
        3_373_570,
        "timm (tf_efficientnet_lite0)",
        remarks={"timm": _LITE_REMARK},
    ),
    "efficientnet_pytorch_b0": _entry(
        partial(efficientnet.efficientnet_b0, tf=True, side=224),
        PHOTOGRAPHS,
        4_010_110,
        "efficientnet_pytorch",
        elsewhere={"torchvision": "efficientnet_b0", "timm": "tf_efficientnet_b0"},
    ),
    "efficientnet_pytorch_b4": _entry(
        partial(efficientnet.efficientnet_b4, tf=True, side=380),
        replace(PHOTOGRAPHS, size=(380, 380)),
        17_552_202,
        "efficientnet_pytorch",
        elsewhere=_TF_B4_ELSEWHERE | {"timm": "tf_efficientnet_b4"},
    ),
    "tf_efficientnet_b0": _entry(
        partial(efficientnet.efficientnet_b0, tf=True),
        PHOTOGRAPHS,
        4_010_110,
        "timm (tf_efficientnet_b0)",
        elsewhere={"torchvision": "efficientnet_b0"},
        remarks={"efficientnet_pytorch": _STATIC.format(224, "efficientnet_pytorch_b0")},
    ),
    "tf_efficientnet_b4": _entry(
        partial(efficientnet.efficientnet_b4, tf=True),
        replace(PHOTOGRAPHS, size=(380, 380)),
        17_552_202,
        "timm (tf_efficientnet_b4)",
        elsewhere=_TF_B4_ELSEWHERE,
        remarks={"efficientnet_pytorch": _STATIC.format(380, "efficientnet_pytorch_b4")},
    ),
    "timm_efficientnet_lite0": _entry(
        partial(efficientnet.efficientnet_lite0, tf=False),
        PHOTOGRAPHS,
        3_373_570,
        "timm (efficientnet_lite0)",
        elsewhere={"efficientnet_pytorch": "efficientnet_lite0"},
    ),
}
