"""`salix methods`: table of the attribution methods, with their cost and needs."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from salix.cli.options import Option

SHAPE = (224, 224, 3)


@dataclass(frozen=True)
class ListMethods:
    """List the attribution methods: name, paper, cost in passes of the model, and needs.

    With names, print the documentation of each. Example: salix methods --family path, or
    salix methods IntegratedGradients
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], Option(help="methods to document")] = ()
    family: Annotated[
        str | None, Option(help="of this family alone, for example gradient or perturbation")
    ] = None
    needs: Annotated[
        str | None,
        Option(help="with this need alone: trunk, segments, reference images, …; or none"),
    ] = None
    shape: Annotated[
        tuple[int, ...], Option(help="shape of the image that the cost is for, channels last")
    ] = SHAPE
    json: Annotated[bool, Option(help="print JSON instead of a table")] = False

    def run(self) -> int:
        """Print the table, or the documentation of the named methods."""
        from salix.attribution import METHODS
        from salix.cli.catalogue_listing import print_documentation, print_records
        from salix.cli.catalogues import chosen, method_records

        records = method_records(self.shape)
        if self.names:
            print_documentation(self.names, METHODS, records)
            return 0
        records = chosen(chosen(records, "family", self.family), "needs", self.needs)
        columns = ("name", "family", "passes", "needs", "source")
        print_records(records, columns, as_json=self.json)
        return 0
