"""Results of the open-world study: intervals over seeds, their file and the printed table."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from salix.analysis.summary import plain_limits
from salix.stats import Interval, mean_interval
from salix.studies.intervals import mean_with_half
from salix.studies.openworld.data import OpenWorldSetting
from salix.studies.openworld.protocol_files import ProtocolSetting
from salix.studies.openworld.scoring import NUMBERS
from salix.studies.openworld.training import OpenWorldTraining
from salix.studies.trial_files import write_json

COLUMNS = (
    "known accuracy",
    "novel accuracy",
    "novel jointly",
    "novel NMI",
    "novel ARI",
    "all accuracy",
    "all NMI",
    "all ARI",
)
PRINTED = ("known accuracy", "novel accuracy", "novel jointly", "all accuracy", "all NMI")


@dataclass(frozen=True)
class OpenWorldResults:
    """Rows of scores with 95 % intervals over seeds, and estimated numbers of classes by seed."""

    faces: str
    setting: OpenWorldSetting | ProtocolSetting
    training: OpenWorldTraining
    seeds: int
    rows: Mapping[str, Mapping[str, Interval]]
    numbers: Mapping[str, Sequence[int]]


def summarise(
    scores: Sequence[Mapping[str, Any]],
    faces: str,
    setting: OpenWorldSetting | ProtocolSetting,
    training: OpenWorldTraining,
    seeds: int,
) -> OpenWorldResults:
    """Return the results of the scores of all trials, each a mapping of rows."""
    by_row: dict[str, list[Mapping[str, float]]] = {}
    numbers: dict[str, list[int]] = {}
    for of_trial in scores:
        for name, value in of_trial.items():
            if name == NUMBERS:
                for rule, count in value.items():
                    numbers.setdefault(rule, []).append(count)
            else:
                by_row.setdefault(name, []).append(value)
    rows = {
        name: {column: mean_interval([s[column] for s in of]) for column in COLUMNS}
        for name, of in by_row.items()
    }
    return OpenWorldResults(faces, setting, training, seeds, rows, numbers)


def write_results(out: Path, results: OpenWorldResults) -> Path:
    """Write `results.json`: families, training, each row of scores, and numbers of classes."""
    write_json(
        out / "results.json",
        {
            "faces": results.faces,
            "setting": asdict(results.setting),
            "training": asdict(results.training),
            "seeds": results.seeds,
            "scores": {
                name: {column: plain_limits(interval) for column, interval in row.items()}
                for name, row in results.rows.items()
            },
            NUMBERS: results.numbers,
        },
    )
    return out / "results.json"


def print_results(results: OpenWorldResults) -> None:
    """Print a line for each row: means with half of the 95 % interval over seeds."""
    from rich.console import Console
    from rich.table import Table

    table = Table("approach", box=None, pad_edge=False)
    for column in PRINTED:
        table.add_column(column, justify="right", min_width=13)
    for name, row in results.rows.items():
        table.add_row(name, *(mean_with_half(row[column]) for column in PRINTED))
    console = Console()
    console.print(table)
    for rule, counts in results.numbers.items():
        text = ", ".join(map(str, counts))
        console.print(f"classes estimated by {rule}: {text}; truly {len(results.setting.names)}")
    console.print("mean ± half of the 95 % interval over seeds; test faces; more in results.json")
