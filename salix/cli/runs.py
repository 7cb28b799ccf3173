"""`salix runs`: run directories listed, verified, merged and exported."""

import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from salix.cli.options import Option
from salix.typing import InputError

if TYPE_CHECKING:
    from salix.store.verification import Verification

SHOWN = 20  # most defects of a run that are listed in the terminal
Folders = Annotated[tyro.conf.Positional[tuple[Path, ...]], Option(help="directories of runs")]


@dataclass(frozen=True)
class ListRuns:
    """List the runs below a folder: rows, ranges, size, writers and damaged parts.

    Example: salix runs list runs
    """

    folders: Annotated[
        tyro.conf.Positional[tuple[Path, ...]], Option(help="folders with runs below them")
    ]
    json: Annotated[bool, Option(help="print a JSON object for each run, one on a line")] = False

    def run(self) -> int:
        """Print a line for each run."""
        from salix.data.notes import printable
        from salix.store.listing import find_runs, summarise

        if not self.folders:
            raise InputError("no folder given: name one with runs below it, as salix runs list .")
        for path in find_runs(self.folders):
            summary = summarise(path)
            if summary is None:
                continue
            if self.json:
                print(json.dumps(asdict(summary), ensure_ascii=False))
                continue
            if summary.error:
                print(printable(f"{path}: {summary.error}"))
                continue
            parts = [
                f"{path}: {summary.name}, {summary.model or 'no model'}",
                f"{summary.rows} of {summary.count} images",
                f"{summary.finished_ranges} of {summary.ranges} ranges",
                f"{summary.skipped} skipped",
                f"{summary.bytes / 1e6:.1f} MB",
                *([f"{summary.damaged} damaged parts"] if summary.damaged else []),
                *(f"being written by {writer}" for writer in summary.writers),
            ]
            print(printable(", ".join(parts)))
        return 0


@dataclass(frozen=True)
class VerifyRuns:
    """Read runs through: hashes, checksums, columns, order of the rows, and every id once.

    Exit status 0 if all is in order, 1 if not, with what to do. Example: salix runs verify runs/*
    """

    runs: Folders
    repair: Annotated[
        bool,
        Option(help="rename damaged parts, so that the same sweep computes their rows again"),
    ] = False

    def run(self) -> int:
        """Print what is wrong with each run."""
        from salix.data.notes import printable
        from salix.store import read_runs
        from salix.store.verification import repair, verify

        status = 0
        for run in read_runs(self.runs, unique=False):
            result = verify(run.path)
            rows = f"{run.path}: {result.rows} of {result.count} rows in {len(result.sound)} parts"
            print(f"{rows}, {len(result.defects) or 'no'} defects")
            for sentence in [*result.defects[:SHOWN], *result.notes[:SHOWN]]:
                print(printable(f"  {sentence}"))
            if len(result.defects) > SHOWN:
                print(f"  … and {len(result.defects) - SHOWN} more")
            if self.repair and result.damaged:
                repair(result)
            if result.defects:
                status = 1
                print(f"next: {self._remedy(result)}")
            sys.stdout.flush()
        return status

    def _remedy(self, result: "Verification") -> str:
        sweep = "the same sweep again, which computes what is missing"
        if result.ids_differ:
            return "rows were changed after they were written: sweep into a new --out"
        if result.damaged and not self.repair:
            return f"salix runs verify --repair {result.path}, then {sweep}"
        return sweep


@dataclass(frozen=True)
class MergeRuns:
    """Combine runs of one configuration that were computed apart, as by workers without a share.

    Each range becomes one part, also of a single run. The inputs stay as they are.
    Example: salix runs merge worker-0 worker-1 --out runs/all
    """

    runs: Folders
    out: Annotated[Path, Option(help="directory of the merged run: new, or of the same merge")]

    def run(self) -> int:
        """Merge and print the path of the run."""
        from salix.store import read_runs
        from salix.store.merge import merge_runs
        from salix.store.parts import parts

        paths = [run.path for run in read_runs(self.runs, unique=False)]
        run = merge_runs(paths, self.out)
        missing = run.missing
        print(f"{run.path}: {len(paths)} runs in {len(parts(run.path))} parts")
        for sentence in missing[:SHOWN]:
            print(f"  {sentence}")
        if missing:
            print(f"next: the same sweep with --out {run.path}, which computes what is missing")
        return 0


@dataclass(frozen=True)
class ExportRuns:
    """Write runs as one data set for DuckDB, Polars, pandas and others, in folders by model.

    Files are FOLDER/model=NAME/range=000012/part-000000.parquet; every file has the same columns.
    Example: salix runs export runs/* --out rows --columns id label gini
    With --maps, stored maps alone, with an index by id, of use where sweeps had a large --side.
    Example: salix runs export runs/first --maps zarr --out maps
    """

    runs: Folders
    out: Annotated[Path, Option(help="folder to write, FOLDER")]
    columns: Annotated[
        tuple[str, ...],
        Option(
            help="columns to write, such as id label gini; all by default, with --maps all maps"
        ),
    ] = ()
    format: Annotated[
        Literal["parquet", "csv"],
        Option(help="csv has arrays as JSON, and only those that --columns names"),
    ] = "parquet"
    maps: Annotated[
        Literal["zarr", "array_record"] | None,
        Option(help="write maps, not rows, as Zarr arrays or as ArrayRecord files"),
    ] = None

    def run(self) -> int:
        """Export and print the folder of each run."""
        from salix.store import read_runs
        from salix.store.export import export_runs
        from salix.store.map_export import export_maps

        runs = read_runs(self.runs)
        if self.maps is None:
            paths = export_runs(runs, self.out, columns=self.columns, format=self.format)
        elif self.format != "parquet":
            raise InputError("--format is that of rows: leave it out with --maps")
        else:
            paths = export_maps(runs, self.out, columns=self.columns, format=self.maps)
        for path in paths:
            print(path)
        return 0


Command = (
    Annotated[ListRuns, tyro.conf.subcommand("list")]
    | Annotated[VerifyRuns, tyro.conf.subcommand("verify")]
    | Annotated[MergeRuns, tyro.conf.subcommand("merge")]
    | Annotated[ExportRuns, tyro.conf.subcommand("export")]
)


@dataclass(frozen=True)
class Runs:
    """List, verify, merge and export runs.

    Example: salix runs verify runs/first
    """

    command: tyro.conf.OmitSubcommandPrefixes[tyro.conf.OmitArgPrefixes[Command]]

    def run(self) -> int:
        """Run the sub-command."""
        return self.command.run()
