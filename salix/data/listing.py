"""Listing of the image files below a folder, with an account of everything left out."""

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path

from salix.data.decode import FORMATS, Unreadable
from salix.data.image_paths import SUFFIXES, VIDEO_SUFFIXES, hint, is_passed_over, suffix_of
from salix.data.regular_file import kind_of, read_failure, read_file
from salix.data.text_buffer import Texts, TextsBuilder

SHOWN = 6  # kinds or names in a line at most
UNSIGNED = ("TGA",)  # formats without a signature: any bytes may be one


@dataclass
class Listing:
    """Image files below a folder, relative to it, and what was left out.

    Names that begin with a dot and those of `PASSED_OVER` are passed over. Links to folders are
    followed; a folder is listed once, under its own place if it is below `root`, and a link to a
    folder that contains `root` or the link is left out. Files count by their suffix, those without
    one by their first bytes.
    """

    root: Path
    exclude: Path | None = None  # a folder that is not listed
    videos: bool = False  # list them too
    files: Texts = field(init=False)
    suffixes: Counter[str] = field(default_factory=Counter)  # of files that were left out
    others: list[str] = field(default_factory=list)  # special files and dangling links
    links: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)  # folders
    hidden: int = 0
    _files: TextsBuilder = field(default_factory=TextsBuilder)
    _waiting: list[str] = field(default_factory=list)  # links to folders
    _places: dict[tuple[int, int], str | None] = field(default_factory=dict)  # folders by inode

    def __post_init__(self):
        folders = [""]
        if self.exclude is not None and self.exclude.is_dir():
            self._places[_inode(self.exclude)] = None
        while folders or self._waiting:  # links come after all folders of their own place
            place = folders.pop() if folders else self._waiting.pop(0)
            path = os.path.join(self.root, place)
            try:
                first = self._places.setdefault(_inode(path), place)
                if first is not place:
                    if first is not None:
                        self.links.append(f"{place} leads to {first or 'the data folder'}")
                    continue
                with os.scandir(path) as entries:
                    others = [entry for entry in entries if not self._take_image(place, entry)]
            except OSError as error:
                self.unreadable.append(f"{place or '.'} ({read_failure(error, path)})")
                continue
            folders += self._take(place, sorted(others, key=attrgetter("name")))
        self.files = self._files.build()

    def _take_image(self, place: str, entry: os.DirEntry[str]) -> bool:
        """Take an entry that is an image by its name alone, as nearly all are, and no folder."""
        stem, _, suffix = entry.name.rpartition(".")
        is_image = stem and not entry.name.startswith(".") and suffix.lower() in SUFFIXES
        if not is_image or is_passed_over(entry.name) or _is_folder(entry, follow_symlinks=True):
            return False
        self._files.append(os.path.join(place, entry.name))
        return True

    def _take(self, place: str, entries: list[os.DirEntry[str]]) -> Iterator[str]:
        """Sort the entries of a folder into files and links; yield its own folders."""
        for entry in entries:
            path = os.path.join(place, entry.name)
            if is_passed_over(entry.name):
                self.hidden += 1
            elif _is_folder(entry, follow_symlinks=False):
                yield path
            elif _is_folder(entry, follow_symlinks=True):
                if self._leads_up(entry.path):
                    self.links.append(f"{path} leads back to a folder above it")
                else:
                    self._waiting.append(path)
            else:
                self._take_file(path, entry)

    def _take_file(self, path: str, entry: os.DirEntry[str]) -> None:
        suffix = suffix_of(entry.name)
        if suffix in SUFFIXES or (
            self.videos and suffix in VIDEO_SUFFIXES
        ):  # also what cannot be read: each of them leaves a row
            self._files.append(path)
        elif (reason := _special(entry.path)) is not None:
            self.others.append(f"{path} ({reason})")
        elif not suffix and has_signature(Path(entry.path)):
            self._files.append(path)
        else:
            self.suffixes[suffix] += 1

    def _leads_up(self, link: str) -> bool:
        target = os.path.join(os.path.realpath(link), "")
        inside = (os.path.realpath(self.root), os.path.realpath(os.path.dirname(link)))
        return any(os.path.join(folder, "").startswith(target) for folder in inside)

    def describe(self) -> str:
        """Return one line of everything that was left out, "" where nothing was."""
        parts = [line] if (line := describe_suffixes(self.suffixes)) else []
        for what, places in (
            ("no file", self.others),
            ("link left out", self.links),
            ("folder unreadable", self.unreadable),
        ):
            if places:
                parts.append(f"{what}: {_some(sorted(places))}")
        return "; ".join(parts)


def describe_suffixes(counts: Counter[str]) -> str:
    """Return one line of the files that were left out by their suffix, "" where none was."""
    kinds = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    texts = [
        f"{n} {f'.{suffix}' if suffix else 'without suffix'}"
        + (f" ({advice})" if (advice := hint(suffix)) else "")
        for suffix, n in kinds
    ]
    count = counts.total()
    return f"{count} file{'s' * (count > 1)} left out: {_some(texts)}" if count else ""


def _some(texts: list[str]) -> str:
    rest = len(texts) - SHOWN
    return ", ".join(texts[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _inode(path: Path | str) -> tuple[int, int]:
    status = os.stat(path)
    return status.st_dev, status.st_ino


def _is_folder(entry: os.DirEntry[str], *, follow_symlinks: bool) -> bool:
    try:
        return entry.is_dir(follow_symlinks=follow_symlinks)
    except OSError:  # links in a circle
        return False


def _special(path: str) -> str | None:
    """Return what a path is if not a regular file: a pipe, a device, a dangling link."""
    try:
        return None if os.path.isfile(path) else kind_of(os.stat(path).st_mode)
    except OSError as error:
        return read_failure(error, path)


def has_signature(path: Path) -> bool:
    """Whether a file's first bytes are those of a format that is decoded."""
    try:
        start = read_file(path, first=16)
    except Unreadable:
        return False
    from PIL import Image

    Image.init()
    tests = [Image.OPEN[f][1] for f in FORMATS if f in Image.OPEN and f not in UNSIGNED]
    return any(test is not None and test(start) is True for test in tests)
