"""Registry entries of further convolutional networks."""

from dataclasses import replace
from functools import partial

from salix.models import (
    convnext,
    meso_pytorch,
    mobilenet_v3,
    resnet,
    resnet_names,
    swin,
    swin_names,
    vgg,
)
from salix.models.architecture import FACES, IMAGENET, PHOTOGRAPHS, Architecture, detector

_convnext = partial(
    detector,
    source="Liu et al. (2022), arXiv:2201.03545; weights: torchvision, timm, Meta, transformers",
    torch=convnext.torch_tables,
)
_meso = partial(
    detector,
    source="Afchar et al. (2018), arXiv:1809.00888; weights: DeepfakeBench, MesoNet-Pytorch",
    head="fc2.bias",
)
_mobilenet = partial(
    detector,
    source="Howard et al. (2019), arXiv:1905.02244; weights: torchvision",
    torch=mobilenet_v3.torch_tables,
)
_resnet = partial(
    detector,
    source="He et al. (2016), arXiv:1512.03385; weights: torchvision, timm",
    torch=resnet_names.torch_tables,
)
_vgg = partial(
    detector,
    preprocess=IMAGENET,
    source="Simonyan and Zisserman (2015), arXiv:1409.1556; weights: torchvision, timm",
    torch=vgg.torch_tables,
)

ENTRIES: dict[str, Architecture] = {
    "convnext_b": _convnext(
        partial(convnext.ConvNext, depths=convnext.DEPTHS["base"], widths=convnext.WIDTHS["base"]),
        PHOTOGRAPHS,
        parameters=87_568_514,
    ),
    "convnext_t": _convnext(convnext.ConvNext, PHOTOGRAPHS, parameters=27_821_666),
    "deepfakebench_meso4": _meso(
        meso_pytorch.PyTorchMeso4,
        FACES,
        parameters=27_898,
        torch=meso_pytorch.meso4_tables,
    ),
    "deepfakebench_mesoinception4": _meso(
        meso_pytorch.PyTorchMesoInception4,
        FACES,
        parameters=28_525,
        torch=meso_pytorch.inception_tables,
    ),
    "mobilenet_v3_large": _mobilenet(
        mobilenet_v3.MobileNetV3,
        replace(IMAGENET, fit="crop", resize=232),
        parameters=4_204_594,
    ),
    "mobilenet_v3_small": _mobilenet(
        partial(mobilenet_v3.MobileNetV3, stages=mobilenet_v3.SMALL, hidden=1024),
        replace(IMAGENET, fit="crop", resize=256),
        parameters=1_519_906,
    ),
    "resnet18": _resnet(resnet.resnet18, IMAGENET, parameters=11_177_538),
    "resnet34": _resnet(resnet.resnet34, IMAGENET, parameters=21_285_698),
    "resnet50": _resnet(resnet.resnet50, IMAGENET, parameters=23_512_130),
    "resnet50_nodown": _resnet(
        resnet.resnet50_nodown,
        replace(PHOTOGRAPHS, size=(256, 256)),
        parameters=23_512_130,
        source="Gragnaniello et al. (2021), arXiv:2104.02617; weights: GRIP-UNINA",
    ),
    "swin_t": detector(
        swin.Swin,
        replace(PHOTOGRAPHS, resize=232),
        parameters=27_520_892,
        source="Liu et al. (2021), arXiv:2103.14030; weights: torchvision, timm, transformers",
        torch=swin_names.torch_tables,
        beside=swin_names.beside_weights,
    ),
    "vgg16": _vgg(vgg.VGG, parameters=134_268_738),
    "vgg19": _vgg(partial(vgg.VGG, depths=vgg.DEPTHS[19]), parameters=139_578_434),
}
