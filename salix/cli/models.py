"""`salix models`: table of the networks and published detectors that can be loaded by name."""

import json
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import tyro

from salix.cli.options import Option
from salix.typing import InputError


@dataclass(frozen=True)
class ListModels:
    """List the published detectors: name, network, weight files, source and licence.

    Weights are not part of Salix. Example: salix models, salix models --networks for all networks,
    or salix models cnndetect for one of them with its preprocessing.
    """

    names: Annotated[
        tyro.conf.Positional[tuple[str, ...]], Option(help="models to describe in full")
    ] = ()
    networks: Annotated[bool, Option(help="show the networks instead of the detectors")] = False
    json: Annotated[bool, Option(help="print JSON instead of a table")] = False

    def run(self) -> int:
        """Print the table, or what is known of the named models."""
        from salix.cli.catalogue_listing import print_records
        from salix.models import DETECTORS, MODELS

        known = {name: _network(name) for name in MODELS}
        known |= {name: _detector(name) for name in DETECTORS}
        if unknown := [name for name in self.names if name not in known]:
            raise InputError(f"unknown {unknown[0]!r}: choose one of {', '.join(sorted(known))}")
        if self.names:
            for name in self.names:
                print(json.dumps(known[name], indent=1, ensure_ascii=False))
            return 0
        names = MODELS if self.networks else DETECTORS
        columns = ("name", "classes", "parameters", "source")
        if not self.networks:
            columns = ("name", "network", "files", "source", "licence")
        print_records([known[name] for name in names], columns, as_json=self.json)
        return 0


def _network(name: str) -> dict[str, Any]:
    from salix.models import MODELS

    about = MODELS[name]
    return {
        "name": name,
        "classes": list(about.classes),
        "parameters": about.parameters,
        "formats": sorted({"safetensors", "orbax", *about.tables}),
        "preprocess": asdict(about.preprocess),
        "source": about.source,
    }


def _detector(name: str) -> dict[str, Any]:
    from salix.models import DETECTORS

    about = DETECTORS[name]
    return {
        "name": name,
        "network": about.architecture,
        "classes": list(about.classes),
        "outputs": about.outputs,
        "files": list(about.files),
        "preprocess": asdict(about.preprocess),
        "source": about.source,
        "licence": about.licence,
        "note": about.note,
    }
