"""Directory of a packed data set that is being written."""

import contextlib
import json
import os
import shutil
import socket
import time
from pathlib import Path

from salix.atomic import atomic
from salix.data.notes import note
from salix.data.packed_layout import DESCRIPTION, Packing, is_packed, read_packing
from salix.typing import InputError

ABANDONED_SECONDS = 120.0  # since the last change of a temporary file whose process has ended
HASHED = {
    "ids": "the ids",
    "labels": "the labels",
    "groups": "the groups",
    "source": "the content of the images or reference masks",
}


def open_directory(out: Path, packing: Packing) -> None:
    """Create the directory, or check that it is of the same images and settings."""
    if out.exists() and not out.is_dir():
        raise InputError(f"{out} is a file: name a directory for the packed images")
    out.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(out)
    if not is_packed(out):
        if others := [p.name for p in out.iterdir() if p.suffix != ".tmp"]:
            raise InputError(
                f"{out} contains {others[0]} and is no packed data set: name another directory"
            )
        write_description(out, packing)
        return
    before = read_packing(out).config
    keys = [k for k in packing.config if packing.config[k] != before.get(k)]
    if keys:
        differences = [
            HASHED.get(k) or f"{k} ({json.dumps(before.get(k))}, not {json.dumps(value)})"
            for k, value in packing.config.items()
            if k in keys
        ]
        raise InputError(
            f"{out} contains images that were packed with other {', '.join(differences)}: name "
            "another directory, or remove it"
        )


def write_description(out: Path, packing: Packing) -> None:
    """Write the description of a packed data set, with its shards once it is whole."""
    with atomic(out / DESCRIPTION) as unfinished:
        unfinished.write_text(packing.to_json(), "utf-8")


def note_space(out: Path, needed: int) -> None:
    """Tell the user where the bytes that are needed are more than those that are free."""
    if needed > (free := shutil.disk_usage(out).free):
        note(f"{out}: the images take {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free")


def _remove_abandoned(out: Path) -> None:
    """Remove temporary files of this host whose process has ended."""
    for file in out.glob(f"*.{socket.gethostname()}.*.tmp"):
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.name.rsplit(".", 2)[1])
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                if time.time() - file.stat().st_mtime > ABANDONED_SECONDS:
                    file.unlink()
