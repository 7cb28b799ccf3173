"""Published detectors of forged and generated images, by name."""

from dataclasses import dataclass, replace
from pathlib import Path

from salix.models.architecture import CLIP, DETECTOR, FACES, IMAGENET, INCEPTION
from salix.models.registry import MODELS, Architecture
from salix.preprocess import Preprocess
from salix.typing import InputError

__all__ = ["DETECTORS", "PublishedDetector", "architecture_of", "check_detector"]


@dataclass(frozen=True)
class PublishedDetector:
    """Detector of a paper or benchmark: its network, preprocessing and published weights.

    The weights are not part of Salix: their owners publish them, under `licence`.
    """

    architecture: str  # a name of `MODELS`
    preprocess: Preprocess  # as its own code prepares an image
    files: tuple[str, ...]  # names of the published weight files
    source: str
    licence: str
    outputs: int = len(DETECTOR)  # 1: one output z, sigmoid(z) = P(fake)
    head_file: bool = False  # the published file is a linear head, of another trunk's features
    note: str = ""
    classes: tuple[str, ...] = DETECTOR


_BENCH = "Yan et al. (2023), arXiv:2307.01426 (DeepfakeBench)"
_NC = "CC BY-NC 4.0"
_CROP = "centre crop of 224 pixels of images of 256: other sizes are resized first"
_SIDE_256 = replace(IMAGENET, fit="crop", resize=256)

DETECTORS: dict[str, PublishedDetector] = {
    "cnndetect": PublishedDetector(
        "resnet50",
        _SIDE_256,
        ("blur_jpg_prob0.1.pth", "blur_jpg_prob0.5.pth"),
        "Wang et al. (2020), arXiv:1912.11035 (CNNDetection)",
        _NC.replace("-NC", "-NC-SA"),
        outputs=1,
        note=_CROP,
    ),
    "corvi2022": PublishedDetector(
        "resnet50_nodown",
        replace(IMAGENET, size=(256, 256), fit="crop"),
        ("corvi22_latent_model.pth", "corvi22_progan_model.pth", "model_epoch_best.pth"),
        "Corvi et al. (2023), arXiv:2211.00680 (DMimageDetection)",
        "GRIP-UNINA: research without profit",
        outputs=1,
        note="published for the full resolution: give --size where images are not of 256 pixels",
    ),
    "deepfakebench_clip": PublishedDetector(
        "clip_vit_b16_pooled",
        replace(FACES, size=(224, 224)),
        ("clip_best.pth",),
        f"Radford et al. (2021), arXiv:2103.00020; {_BENCH}",
        _NC,
    ),
    "deepfakebench_cnn_aug": PublishedDetector(
        "resnet34", FACES, ("cnnaug_best.pth",), f"Wang et al. (2020); {_BENCH}", _NC
    ),
    "deepfakebench_core": PublishedDetector(
        "xception", FACES, ("core_best.pth",), f"Ni et al. (2022), arXiv:2206.02749; {_BENCH}", _NC
    ),
    "deepfakebench_efficientnet_b4": PublishedDetector(
        "deepfakebench_efficientnet_b4",
        MODELS["deepfakebench_efficientnet_b4"].preprocess,
        ("effnb4_best.pth",),
        f"Tan and Le (2019), arXiv:1905.11946; {_BENCH}",
        _NC,
    ),
    "deepfakebench_meso4": PublishedDetector(
        "deepfakebench_meso4",
        FACES,
        ("meso4_best.pth",),
        f"Afchar et al. (2018), arXiv:1809.00888; {_BENCH}",
        _NC,
    ),
    "deepfakebench_mesoinception4": PublishedDetector(
        "deepfakebench_mesoinception4",
        FACES,
        ("meso4Incep_best.pth",),
        f"Afchar et al. (2018), arXiv:1809.00888; {_BENCH}",
        _NC,
    ),
    "deepfakebench_xception": PublishedDetector(
        "xception",
        FACES,
        ("xception_best.pth",),
        f"Chollet (2017), arXiv:1610.02357; {_BENCH}",
        _NC,
    ),
    "faceforensics_xception": PublishedDetector(
        "xception",
        INCEPTION,
        ("full_c23.p", "full_c40.p", "full_raw.p"),
        "Roessler et al. (2019), arXiv:1901.08971 (FaceForensics++)",
        "terms of FaceForensics++",
        note="published as whole modules: save their state dicts first",
    ),
    "grag2021": PublishedDetector(
        "resnet50_nodown",
        replace(IMAGENET, size=(256, 256), fit="crop"),
        ("gandetection_resnet50nodown_stylegan2.pth", "gandetection_resnet50nodown_progan.pth"),
        "Gragnaniello et al. (2021), arXiv:2104.02617",
        "GRIP-UNINA: research without profit",
        outputs=1,
        note="published for the full resolution: give --size where images are not of 256 pixels",
    ),
    "self_blended_images": PublishedDetector(
        "efficientnet_pytorch_b4",
        Preprocess(size=(380, 380)),
        ("FFc23.tar", "FFraw.tar"),
        "Shiohara and Yamasaki (2022), arXiv:2204.08376",
        "research alone, by its authors",
    ),
    "universal_fake_detect": PublishedDetector(
        "clip_vit_l14_embedding",
        replace(CLIP, resize=256),
        ("fc_weights.pth",),
        "Ojha, Li and Lee (2023), arXiv:2302.10174 (UniversalFakeDetect, UnivFD)",
        "not stated beside the weights; CLIP: MIT",
        outputs=1,
        head_file=True,
        note=f"give CLIP's weights, and fc_weights.pth with --head-weights; {_CROP}",
    ),
}


def architecture_of(name: str) -> tuple[str, Architecture]:
    """Return the name and the registry entry of a network, or of a detector's network.

    The entry of a detector has its preprocessing, classes and source. Raises InputError for a name
    of neither.
    """
    if name in DETECTORS:
        about = DETECTORS[name]
        entry = replace(
            MODELS[about.architecture],
            preprocess=about.preprocess,
            classes=about.classes,
            source=about.source,
        )
        return about.architecture, entry
    if name not in MODELS:
        raise InputError(
            f"no architecture {name!r}: choose one of {', '.join(sorted(MODELS))}; "
            f"or a detector, {', '.join(sorted(DETECTORS))}"
        )
    return name, MODELS[name]


def check_detector(name: str, path: str | Path, classes: int) -> None:
    """Refuse weights of a network with more classes than a detector has."""
    if name in DETECTORS and classes != len(DETECTORS[name].classes):
        about = DETECTORS[name]
        remedy = f"give its own weights, {' or '.join(about.files)}"
        if about.architecture != name:
            remedy += f", or load the file as {about.architecture}"
        raise InputError(
            f"{path} has {classes} outputs, and {name} is a detector of "
            f"{' and '.join(about.classes)}: {remedy}"
        )
