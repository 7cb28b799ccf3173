"""Registry entries of further convolutional networks."""

from dataclasses import replace

from salix.models import meso_pytorch, resnet, resnet_names
from salix.models.architecture import FACES, IMAGENET, PHOTOGRAPHS, Architecture, detector

ENTRIES: dict[str, Architecture] = {
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
}
