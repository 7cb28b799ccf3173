"""Image files below a folder, and ids without the suffix of an image."""

from pathlib import Path, PurePosixPath

from salix.data.decode import suffixes

SUFFIXES = tuple(sorted(suffixes()))


def image_files(root: Path) -> list[Path]:
    """Return the files below `root` with the suffix of an image, in no particular order."""
    return [p for p in root.rglob("*") if p.suffix.lower()[1:] in SUFFIXES and p.is_file()]


def without_suffix(id: str) -> str:
    """Return an id without the suffix of an image: other dots are part of a name."""
    path = PurePosixPath(id)
    return path.with_suffix("").as_posix() if path.suffix.lower()[1:] in SUFFIXES else id
