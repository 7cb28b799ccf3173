"""`salix inspect`: table of the arrays of a checkpoint and of their places in a network."""

import json
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any

import tyro

from salix.cli.options import Option
from salix.cli.weight_options import WeightOptions
from salix.data.notes import printable
from salix.typing import InputError


@dataclass(frozen=True)
class InspectWeights:
    """List where each array of a checkpoint goes in a network: to a parameter, or nowhere.

    Arrays are taken, ignored (--ignore), left out (the state of an optimiser, another network), or
    have no place or another shape; parameters without an array are missing, or keep initial values
    (--allow-missing). The exit status is 0 where the checkpoint can be loaded, otherwise 2.

    Example: salix inspect --model resnet50 --weights detector.pth --ignore 'neck.*'
    """

    model: Annotated[str, Option(help="architecture, for example resnet50")]
    weights: Annotated[WeightOptions, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightOptions
    )
    json: Annotated[bool, Option(help="print JSON instead of a table")] = False

    def run(self) -> int:
        """Print the table; returns 2 where the checkpoint does not fit."""
        from salix.models.placements import FATES, inspect_weights

        if self.weights.path is None:
            raise InputError("no checkpoint to inspect: name it with --weights")
        placements, fault = inspect_weights(self.model, self.weights.path, **self.weights.choice)
        numbers = Counter(placement.fate for placement in placements)
        counts = {fate: numbers[fate] for fate in FATES if fate in numbers}
        if self.json:
            record = {"counts": counts, "fault": fault, "arrays": list(map(asdict, placements))}
            print(json.dumps(record, indent=1))
        else:
            from salix.cli.catalogue_listing import print_records

            columns = ("name", "shape", "parameter", "model shape", "fate")
            print_records([_record(asdict(p)) for p in placements], columns, as_json=False)
            print(", ".join(f"{number} {fate}" for fate, number in counts.items()))
        if fault is not None:
            print(f"salix: {fault}", file=sys.stderr)
        return 0 if fault is None else 2


def _record(placement: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row of the table."""
    return {
        "name": printable(placement["array"] or ""),
        "shape": _size(placement["shape"]),
        "parameter": placement["parameter"] or "",
        "model shape": _size(placement["expected"]),
        "fate": placement["fate"],
    }


def _size(shape: Sequence[int] | None) -> str:
    return "" if shape is None else " x ".join(map(str, shape)) or "scalar"
