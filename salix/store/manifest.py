"""Manifest of a run directory, and the guard against mixing two configurations.

`manifest.json` has three parts. `config` is everything that decides a row; it must agree before a
run is resumed. `columns` describes each column of the rows. `about` is everything else: names,
versions, device, timings.
"""

import json
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import jax

from salix.atomic import atomic
from salix.store.claim import NAME as CLAIM
from salix.store.claim import remove_temporaries
from salix.store.identity import digest
from salix.store.mismatch import check_same
from salix.store.parts import Expected
from salix.typing import Column, InputError

NAME = "manifest.json"
FORMAT = 2


def circumstances() -> dict[str, Any]:
    """Return versions and device, for the `about` part."""
    import salix

    device = jax.devices()[0]
    return {
        "salix": salix.__version__,
        "jax": jax.__version__,
        "python": platform.python_version(),
        "device": f"{jax.device_count()} x {device.device_kind} ({device.platform})",
        "cpus": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
    }


def note_circumstances(path: Path, about: dict[str, Any], *, record: bool = True) -> None:
    """Print other circumstances in which a run is resumed, and `record` them as `about.resumed`.

    Rows that are computed by another version of JAX, other devices or another number of CPUs agree
    with those before to rounding.
    """
    before = read_manifest(path)["about"]
    latest = before | (before.get("resumed") or [{}])[-1]
    changes = {
        key: about[key]
        for key in ("jax", "device", "cpus")
        if key in latest and latest[key] != about.get(key)
    }
    if changes:
        if record:
            update_about(path, resumed=[*before.get("resumed", []), changes])
        text = ", ".join(f"{key} {latest[key]} before, {now} now" for key, now in changes.items())
        print(f"{path}: {text}: further rows agree with the first to rounding", file=sys.stderr)


def open_run(
    path: Path,
    config: dict[str, Any],
    about: dict[str, Any],
    *,
    columns: Sequence[Column] = (),
    range_batches: int | None = None,
) -> None:
    """Create the run directory `path`, or check that it holds the same configuration.

    `range_batches` is the length of a new run's ranges, None for one range. Of several processes
    that begin the same run, the manifest of the first stands.

    Raises `InputError`, naming what differs, for a run of another configuration or of other
    columns, or for a directory that is not a run.
    """
    check_directory(path)
    # As JSON gives it back, so that a tuple equals the list that was read.
    config, described = json.loads(json.dumps([config, [asdict(c) for c in columns]]))
    if (path / NAME).exists():
        _check_same(path, config, described, about)
        remove_temporaries(path)
        return
    path.mkdir(parents=True, exist_ok=True)
    head = {"format": FORMAT, "hash": digest(config), "config": config}
    ranges = {} if range_batches is None else {"range_batches": range_batches}
    try:
        _write(path, {**head, **ranges, "columns": described, "about": about}, new=True)
    except FileExistsError:
        _check_same(path, config, described, about)


def check_directory(path: Path) -> None:
    """Raise `InputError` for a path that is neither a run nor can become one."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path} is a file: give --out a directory")
    if not path.exists():
        return
    others = [p.name for p in path.iterdir() if p.name != CLAIM and p.suffix != ".tmp"]
    if (path / NAME).exists():  # asked last: another process may begin the run meanwhile
        return
    if any(name.startswith(("part-", "range=")) for name in others):
        raise InputError(
            f"{path} has parts of a run and no {NAME}, without which they cannot be used: restore "
            "it, or use a new --out"
        )
    if others:
        raise InputError(f"{path} holds other files and no {NAME}: give --out a new directory")


def read_manifest(path: Path) -> dict[str, Any]:
    """Read the manifest of a run directory; raises `InputError` if there is none."""
    try:
        manifest = json.loads((path / NAME).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        hint = "give a directory that `salix sweep --out` wrote"
        raise InputError(f"{path} is not a run, it has no {NAME}: {hint}") from None
    except ValueError:
        raise InputError(
            f"{path / NAME} is not readable JSON: restore it, or sweep again into a new --out"
        ) from None
    layout = manifest.get("format") if isinstance(manifest, dict) else None
    if layout != FORMAT:
        raise InputError(f"{path / NAME} has format {layout}, expected {FORMAT}")
    kinds = {"hash": str, "config": dict, "columns": list, "about": dict}
    if damaged := [k for k, kind in kinds.items() if not isinstance(manifest.get(k), kind)]:
        raise InputError(
            f"{path / NAME} has no usable {', '.join(damaged)}: restore it, or sweep again into a "
            "new --out"
        )
    return manifest


def expected_parts(manifest: dict[str, Any]) -> Expected:
    """Return what the parts of a run must have, from its manifest."""
    config = manifest["config"]
    count, size = int(config["data"]["count"]), config.get("batch_size")
    return Expected(tuple(manifest_columns(manifest)), manifest["hash"], count, size)


def manifest_columns(manifest: dict[str, Any]) -> list[Column]:
    """Return the columns that a manifest describes."""
    tuples = ("coordinates", "dims", "shape")
    return [Column(**{**c, **{t: tuple(c[t]) for t in tuples}}) for c in manifest["columns"]]


def update_about(path: Path, **about: Any) -> None:
    """Add to the `about` part of a run's manifest."""
    manifest = read_manifest(path)
    if about.items() <= manifest["about"].items():
        return
    manifest["about"] |= about
    _write(path, manifest)


def note_set_aside(path: Path, entries: Sequence[dict[str, Any]]) -> None:
    """Add parts that were set aside to the `about` part of a run's manifest."""
    before = read_manifest(path)["about"].get("set_aside", [])
    update_about(path, set_aside=[*before, *entries])


def _check_same(
    path: Path, config: dict[str, Any], columns: list[dict[str, Any]], about: dict[str, Any]
) -> None:
    manifest = read_manifest(path)
    # Words about a column may change, what its parts hold may not.
    stored, now = (
        {c["name"]: (c["dtype"], c["shape"]) for c in described}
        for described in (manifest["columns"], columns)
    )
    equal = {name for name in stored if stored[name] == now.get(name)}
    before, now = (
        settings | {"columns": {name: kind for name, kind in kinds.items() if name not in equal}}
        for settings, kinds in ((manifest["config"], stored), (config, now))
    )
    check_same(path, before, now, (manifest["about"], about))


def _write(path: Path, manifest: dict[str, Any], *, new: bool = False) -> None:
    text = json.dumps(manifest, indent=1, ensure_ascii=False) + "\n"
    # A name that is not UTF-8 becomes an escape of JSON.
    with atomic(path / NAME, new=new) as unfinished:
        unfinished.write_bytes(text.encode("utf-8", "backslashreplace"))
