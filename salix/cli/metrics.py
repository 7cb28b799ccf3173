"""`salix metrics`: table of the metrics, with their arguments, range, cost and needs."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from salix.cli.methods import SHAPE
from salix.cli.options import Option


@dataclass(frozen=True)
class ListMetrics:
    """List the metrics: name, paper, group, cost in passes of the model, range and direction.

    With names, print the documentation of each. Example: salix metrics --group faithfulness, or
    salix metrics deletion
    """

    names: Annotated[tyro.conf.Positional[tuple[str, ...]], Option(help="metrics to document")] = ()
    group: Annotated[
        str | None, Option(help="of this group alone, for example faithfulness or robustness")
    ] = None
    needs: Annotated[
        str | None, Option(help="with this need alone: reference mask, trunk, …; or none")
    ] = None
    shape: Annotated[
        tuple[int, ...], Option(help="shape of the image that the cost is for, channels last")
    ] = SHAPE
    json: Annotated[bool, Option(help="print JSON instead of a table")] = False

    def run(self) -> int:
        """Print the table, or the documentation of the named metrics."""
        from salix.cli.catalogue_listing import print_documentation, print_records
        from salix.cli.catalogues import chosen, metric_records
        from salix.metrics import METRICS

        records = metric_records(self.shape)
        if self.names:
            functions = {name: info.function for name, info in METRICS.items()}
            print_documentation(self.names, functions, records)
            return 0
        records = chosen(chosen(records, "group", self.group), "needs", self.needs)
        columns = ("name", "group", "range", "direction", "passes", "needs", "arguments", "source")
        print_records(records, columns, as_json=self.json)
        return 0
