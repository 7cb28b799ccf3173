"""Projected, streaming reader of run directories."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from salix.store.faces import image_ids, other_faces, reduces_faces, without_rows
from salix.store.manifest import expected_parts, manifest_columns, read_manifest
from salix.store.parts import Damage, Part, gaps, sound_parts
from salix.store.schema import arrow_schema, empty_array, numpy_array
from salix.typing import Column, InputError


@dataclass(frozen=True)
class Run:
    """A run directory: the rows of one problem over one data set, in the order of the data."""

    path: Path

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """`config` decides the rows, `columns` describes them, `about` the run."""
        return read_manifest(self.path)

    @property
    def name(self) -> str:
        """Name of the run in tables and figures."""
        return self.manifest["about"]["name"]

    @property
    def group(self) -> str:
        """Name that runs share which differ by their training seed only."""
        return self.manifest["about"]["group"]

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the model's classes, in the order of its logits; empty where it has none."""
        return tuple(self.manifest["config"].get("classes", ()))

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the stored maps."""
        return self.columns["map"].shape

    @cached_property
    def columns(self) -> dict[str, Column]:
        """All columns by name, in order: type, shape, meaning, range, direction and axis."""
        return {c.name: c for c in manifest_columns(self.manifest)}

    @property
    def count(self) -> int:
        """Number of examples in the data, finished or not."""
        return int(self.manifest["config"]["data"]["count"])

    @property
    def complete(self) -> bool:
        """Whether every example of the data has its row."""
        return self._finished_rows() == self.count

    @property
    def missing(self) -> list[str]:
        """Sentences on what the run lacks: damaged parts, and examples without a row."""
        expected, (sound, damaged) = expected_parts(self.manifest), self._parts()
        sentences = [f"{part.path.name} {reason}." for part, reason in damaged]
        if expected.batch_size is None:
            lacking = self.count - self._finished_rows()
            return [*sentences, f"{lacking} examples have no row."] if lacking else sentences
        for gap in gaps(sound, expected):
            sentences.append(f"Examples {gap.start} to {gap.stop - 1} of {self.count} have no row.")
        return sentences

    @cached_property
    def skipped(self) -> list[dict[str, Any]]:
        """Id, label and reason of each example that could not be read; label None where unknown."""
        names = [n for n in ("id", "label", "skipped") if n in self.columns]
        rows = [
            row
            for table in self._row_groups(names)
            for row in table.filter(table["skipped"].is_valid()).to_pylist()
        ]
        return [{"id": r["id"], "label": r.get("label"), "skipped": r["skipped"]} for r in rows]

    @cached_property
    def other_faces(self) -> np.ndarray:
        """Positions of rows that `read` leaves out: the other faces of an image, see `FaceRule`."""
        if not reduces_faces(self.manifest):
            return np.zeros(0, np.int64)
        return other_faces(self._row_groups(["index", "id", "skipped", "logits"]))

    @cached_property
    def rows(self) -> dict[str, np.ndarray]:
        """All columns of the measured examples, see `read`."""
        return self.read()

    @cached_property
    def table(self) -> Any:
        """All columns of all examples, the skipped ones included, as an Arrow table."""
        import pyarrow as pa

        empty = arrow_schema(tuple(self.columns.values())).empty_table()
        return pa.concat_tables([empty, *self._row_groups(list(self.columns))])

    def read(self, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
        """Return columns of the measured examples as arrays [n *shape], in the order of the data.

        `names` defaults to all columns but `skipped`; columns that are not named are not read from
        disk. Missing numbers are NaN, missing labels and other integers -1, missing texts and
        bytes None. Raises `InputError` for an unknown name.
        """
        chosen = self._chosen(names)
        total, n = self._finished_rows(), 0
        arrays = {c.name: empty_array(c, total) for c in chosen}
        for chunk in self._chunks(chosen):
            for name, values in chunk.items():
                arrays[name][n : n + len(values)] = values
            n += len(next(iter(chunk.values()), ()))
        return {name: array[:n] for name, array in arrays.items()}

    def iterate(self, names: Sequence[str] | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yield what `read` returns in pieces of at most a few thousand examples.

        Memory does not grow with the number of rows. Raises `InputError` for an unknown name.
        """
        return self._chunks(self._chosen(names))

    def _chosen(self, names: Sequence[str] | None) -> list[Column]:
        if names is None:
            return [c for c in self.columns.values() if c.name != "skipped"]
        if unknown := [n for n in names if n not in self.columns]:
            raise InputError(
                f"{self.path} has no column {', '.join(unknown)}: "
                f"choose from {', '.join(self.columns)}"
            )
        return [self.columns[n] for n in dict.fromkeys(names)]

    def _chunks(self, chosen: Sequence[Column]) -> Iterator[dict[str, np.ndarray]]:
        others, reduced = self.other_faces, reduces_faces(self.manifest)
        index = ["index"] if len(others) else []
        for table in self._row_groups(list({*(c.name for c in chosen), "skipped", *index})):
            if len(others):
                table = without_rows(table, others)
            measured = table.filter(table["skipped"].is_null()).combine_chunks()
            chunks = {c: measured[c.name] for c in chosen}
            arrays = {
                c.name: numpy_array(c, x.chunk(0) if x.num_chunks == 1 else x.combine_chunks())
                for c, x in chunks.items()
            }
            yield image_ids(arrays) if reduced else arrays

    def _row_groups(self, names: list[str]) -> Iterator[Any]:
        """Yield row groups as Arrow tables, part by part: parts follow the order of the data."""
        import pyarrow.parquet as pq

        for part in self._parts()[0]:
            try:
                with pq.ParquetFile(part.path, page_checksum_verification=True) as file:
                    for group in range(file.num_row_groups):
                        yield file.read_row_group(group, columns=names)
            except OSError as error:  # what its metadata do not show
                raise InputError(
                    f"{part.path} is damaged ({str(error).splitlines()[0]}): run the same sweep "
                    "again, it computes the rows of this part anew"
                ) from None

    def _parts(self) -> tuple[list[Part], list[Damage]]:
        return sound_parts(self.path, expected_parts(self.manifest))

    def _finished_rows(self) -> int:
        import pyarrow.parquet as pq

        return sum(pq.read_metadata(part.path).num_rows for part in self._parts()[0])


def read_runs(paths: Iterable[Path | str], *, unique: bool = True) -> list[Run]:
    """Open run directories; a directory of runs stands for all of them, sorted.

    Raises `InputError` where there is none, for a training, or, if `unique`, for two runs of one
    name.
    """
    runs: list[Run] = []
    for path in map(Path, paths):
        below = sorted(p.parent for p in path.glob("*/manifest.json"))
        is_run = (path / "manifest.json").exists()
        runs += [Run(path)] if is_run or not below else [Run(p) for p in below]
    if not runs:
        raise InputError("no run given: name directories that `salix sweep --out` wrote")
    for run in runs:
        if run.manifest["config"].get("kind") == "training":
            hint = "sweep with its weights, and name that run"
            raise InputError(f"{run.path} holds a training, not rows of images: {hint}")
    names = [r.name for r in runs]
    repeated = {n for n in names if names.count(n) > 1}
    if unique and repeated:
        hint = "sweep with --name to tell them apart"
        raise InputError(f"several runs are named {', '.join(sorted(repeated))}: {hint}")
    return runs
