"""Image classifiers, generators, segmenters and models of text in Flax, and their weights.

`load` returns a classifier and its parameters by name, `load_dcgan` and `load_vae` a generator,
`load_deepbrain` and `load_deepbet` a segmenter of volumes, `load_text_encoder` and `load_tokenizer`
a text encoder, `load_decoder` and `load_language_model` a language model.
"""

from salix.models.antispoof import AntiSpoof, LivenessNet
from salix.models.convnext import ConvNext
from salix.models.dcgan import DCGAN, load_dcgan
from salix.models.decoder import Decoder, DecoderConfig
from salix.models.decoder_files import load_decoder
from salix.models.densenet import DenseNet
from salix.models.detectors import DETECTORS, PublishedDetector, architecture_of
from salix.models.efficientnet import EfficientNet
from salix.models.faceres import FaceRes, load_faceres
from salix.models.inception import InceptionV3
from salix.models.language_model import LanguageModel, load_language_model
from salix.models.linknet3d import LinkNet3D, load_deepbet
from salix.models.loading import build, load, save
from salix.models.meso import Meso4, MesoInception4
from salix.models.meso_pytorch import PyTorchMeso4, PyTorchMesoInception4
from salix.models.mobilenet import MobileNetV2
from salix.models.placements import ArrayPlacement, inspect_weights
from salix.models.registry import MODELS, Architecture
from salix.models.resnet import ResNet
from salix.models.small import Small
from salix.models.text_encoder import TextEncoder, TextEncoderConfig
from salix.models.text_encoder_files import load_text_encoder, save_text_encoder
from salix.models.tokens import TokenisedText, Tokenizer, load_tokenizer
from salix.models.transformer import VisionTransformer
from salix.models.transformer_config import TransformerConfig
from salix.models.unet3d import UNet3D, load_deepbrain
from salix.models.vae import VAE, load_vae
from salix.models.vgg import VGG
from salix.models.vit import ViT
from salix.models.xception import Xception
from salix.nn import conv_form, fold
from salix.precision import precision

__all__ = [
    "DCGAN",
    "DETECTORS",
    "MODELS",
    "VAE",
    "VGG",
    "AntiSpoof",
    "Architecture",
    "ArrayPlacement",
    "ConvNext",
    "Decoder",
    "DecoderConfig",
    "DenseNet",
    "EfficientNet",
    "FaceRes",
    "InceptionV3",
    "LanguageModel",
    "LinkNet3D",
    "LivenessNet",
    "Meso4",
    "MesoInception4",
    "MobileNetV2",
    "PublishedDetector",
    "PyTorchMeso4",
    "PyTorchMesoInception4",
    "ResNet",
    "Small",
    "TextEncoder",
    "TextEncoderConfig",
    "TokenisedText",
    "Tokenizer",
    "TransformerConfig",
    "UNet3D",
    "ViT",
    "VisionTransformer",
    "Xception",
    "architecture_of",
    "build",
    "conv_form",
    "fold",
    "inspect_weights",
    "load",
    "load_dcgan",
    "load_decoder",
    "load_deepbet",
    "load_deepbrain",
    "load_faceres",
    "load_language_model",
    "load_text_encoder",
    "load_tokenizer",
    "load_vae",
    "precision",
    "save",
    "save_text_encoder",
]
