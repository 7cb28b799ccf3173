"""Registry entries of further convolutional networks."""

from dataclasses import replace
from functools import partial

from salix.models import convnext, meso_pytorch, resnet, resnet_names, vgg
from salix.models.architecture import FACES, IMAGENET, PHOTOGRAPHS, Architecture, detector

_CONVNEXT = "Liu et al. (2022), arXiv:2201.03545; weights: torchvision, timm, Meta, transformers"
_VGG = "Simonyan and Zisserman (2015), arXiv:1409.1556; weights: torchvision, timm"

ENTRIES: dict[str, Architecture] = {
    "convnext_b": detector(
        partial(convnext.ConvNext, depths=convnext.DEPTHS["base"], widths=convnext.WIDTHS["base"]),
        PHOTOGRAPHS,
        parameters=87_568_514,
        source=_CONVNEXT,
        torch=convnext.torch_tables,
    ),
    "convnext_t": detector(
        convnext.ConvNext,
        PHOTOGRAPHS,
        parameters=27_821_666,
        source=_CONVNEXT,
        torch=convnext.torch_tables,
    ),
    "deepfakebench_meso4": detector(
        meso_pytorch.PyTorchMeso4,
        FACES,
        parameters=27_898,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: DeepfakeBench, MesoNet-Pytorch",
        torch=meso_pytorch.meso4_tables,
        head="fc2.bias",
    ),
    "deepfakebench_mesoinception4": detector(
        meso_pytorch.PyTorchMesoInception4,
        FACES,
        parameters=28_525,
        source="Afchar et al. (2018), arXiv:1809.00888; weights: DeepfakeBench, MesoNet-Pytorch",
        torch=meso_pytorch.inception_tables,
        head="fc2.bias",
    ),
    "resnet34": detector(
        resnet.resnet34,
        IMAGENET,
        parameters=21_285_698,
        source="He et al. (2016), arXiv:1512.03385; weights: torchvision, timm",
        torch=resnet_names.torch_tables,
    ),
    "resnet50_nodown": detector(
        resnet.resnet50_nodown,
        replace(PHOTOGRAPHS, size=(256, 256)),
        parameters=23_512_130,
        source="Gragnaniello et al. (2021), arXiv:2104.02617; weights: GRIP-UNINA",
        torch=resnet_names.torch_tables,
    ),
    "vgg16": detector(
        vgg.VGG, IMAGENET, parameters=134_268_738, source=_VGG, torch=vgg.torch_tables
    ),
    "vgg19": detector(
        partial(vgg.VGG, depths=vgg.DEPTHS[19]),
        IMAGENET,
        parameters=139_578_434,
        source=_VGG,
        torch=vgg.torch_tables,
    ),
}
