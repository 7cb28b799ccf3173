"""Architectures of image models in Flax, and their weights.

`load` gives a classifier and its parameters by name; `dcgan` and `vae` give image generators.
"""

from salix.models.antispoof import AntiSpoof, LivenessNet
from salix.models.conv import conv_form, precision
from salix.models.dcgan import DCGAN, dcgan
from salix.models.densenet import DenseNet
from salix.models.efficientnet import EfficientNet
from salix.models.fold import fold
from salix.models.inception import InceptionV3
from salix.models.io import build, load, save
from salix.models.meso import Meso4, MesoInception4
from salix.models.mobilenet import MobileNetV2
from salix.models.resnet import ResNet
from salix.models.small import Small
from salix.models.table import MODELS, Architecture
from salix.models.vae import VAE, vae
from salix.models.vit import ViT
from salix.models.xception import Xception

# `dcgan` and `vae` are functions here, and the modules that hold them when imported by full name.
__all__ = [
    "DCGAN",
    "MODELS",
    "VAE",
    "AntiSpoof",
    "Architecture",
    "DenseNet",
    "EfficientNet",
    "InceptionV3",
    "LivenessNet",
    "Meso4",
    "MesoInception4",
    "MobileNetV2",
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
