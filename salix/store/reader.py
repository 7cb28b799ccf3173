"""Reading run directories back."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from salix.store.manifest import read_manifest
from salix.store.writer import parts
from salix.typing import Column, InputError


@dataclass(frozen=True)
class Run:
    """The rows of one model over one data set, in the order of the data."""

    path: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """`config` decides the rows, `about` describes the run."""
        return read_manifest(self.path)

    @property
    def name(self) -> str:
        """Name of the run in tables and figures."""
        return self.manifest["about"]["name"]

    @property
    def group(self) -> str:
        """Runs of one group differ by their training seed only."""
        return self.manifest["about"]["group"]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes, in the order of its logits."""
        return tuple(self.manifest["config"]["classes"])

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the stored maps."""
        return tuple(self.manifest["config"]["grid"])

    @property
    def columns(self) -> dict[str, Column]:
        """What the columns of the measures mean, by name, where the measure said so."""
        held = self.manifest["about"].get("columns", ())
        found = (Column(**{**q, "coordinates": tuple(q["coordinates"])}) for q in held)
        return {q.name: q for q in found}

    @cached_property
    def table(self) -> Any:
        """All rows, skipped ones included, as an Arrow table sorted by `index`."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        files = [file for _, _, file in parts(self.path)]
        if not files:
            raise InputError(f"{self.path} holds no finished rows: run the sweep again to go on")
        return pa.concat_tables(pq.read_table(f) for f in files).sort_by("index")

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """Columns of the measured images as arrays; `label` is -1 where unknown.

        `logits` is [n k], `map` uint8 [n *grid], a measure's array [n k] with NaN for what is not
        there; `thumb` and `reference_mask` hold bytes or None.
        """
        table = self.table.filter(self.table["skipped"].is_null()).combine_chunks()
        return {n: self._array(n, table[n]) for n in table.column_names if n != "skipped"}

    @cached_property
    def skipped(self) -> list[dict[str, Any]]:
        """Id, label and reason of each image that could not be read."""
        table = self.table.filter(self.table["skipped"].is_valid())
        return table.select(["id", "label", "skipped"]).to_pylist()

    @property
    def complete(self) -> bool:
        """Whether every image of the data has its row."""
        return len(self.table) == self.manifest["config"]["data"]["count"]

    def _array(self, name: str, column: Any) -> np.ndarray:
        if name in ("logits", "map"):
            flat = column.combine_chunks().flatten().to_numpy()
            shape = self.grid if name == "map" else (len(self.classes),)
            return flat.reshape(-1, *shape)
        if name == "label":
            return column.fill_null(-1).to_numpy()
        import pyarrow as pa

        return _lists(column) if pa.types.is_list(column.type) else column.to_numpy()


def _lists(column: Any) -> np.ndarray:
    """Return a column of lists as [n k], NaN where one is shorter than the longest."""
    from pyarrow.compute import call_function

    lengths = call_function("list_value_length", [column]).fill_null(0).to_numpy()
    table = np.full((len(lengths), max(lengths, default=0)), np.nan, np.float32)
    held = call_function("list_flatten", [column]).to_numpy(zero_copy_only=False)
    table[np.arange(table.shape[1]) < lengths[:, None]] = held
    return table


def read_runs(paths: Iterable[Path | str]) -> list[Run]:
    """Open run directories; a directory that holds runs stands for all of them, sorted.

    Raises `InputError` where there is none, for a training, or for two runs of one name.
    """
    runs: list[Run] = []
    for path in map(Path, paths):
        below = sorted(p.parent for p in path.glob("*/manifest.json"))
        own = (path / "manifest.json").exists()
        runs += [Run(path)] if own or not below else [Run(p) for p in below]
    if not runs:
        raise InputError("no run given: name directories that `salix sweep --out` wrote")
    for run in runs:
        if run.manifest["config"].get("kind") == "training":
            hint = "sweep with its weights, and name that run"
            raise InputError(f"{run.path} holds a training, not rows of images: {hint}")
    names = [r.name for r in runs]
    if twice := {n for n in names if names.count(n) > 1}:
        hint = "sweep with --name to tell them apart"
        raise InputError(f"several runs are named {', '.join(sorted(twice))}: {hint}")
    return runs
