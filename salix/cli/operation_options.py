"""Options of long commands for those who operate them: log, metrics and profile."""

import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from salix.cli.options import Option
from salix.measurement import Callback


@dataclass(frozen=True)
class Reports:
    """The callback of a command, and whether it shows its progress."""

    callback: Callback | None = None
    show: bool = True


@dataclass(frozen=True)
class OperationOptions:
    """Log, metrics and profile of a command: nothing of it changes rows or weights."""

    log_json: Annotated[
        str | None,
        Option(
            metavar="FILE",
            help="append a line of JSON for each event (start, progress, part, skipped, epoch, "
            "note, end) to a file, for example logs/photos.jsonl; - writes them to stderr in the "
            "place of progress and notes",
        ),
    ] = None
    metrics_to: Annotated[
        tuple[str, ...],
        Option(
            metavar="PLACE",
            help="send rates, losses and validation metrics to tensorboard:DIR, wandb:PROJECT or "
            "mlflow:URI, for example tensorboard:logs mlflow:sqlite:///mlflow.db",
        ),
    ] = ()
    profile: Annotated[
        Path | None,
        Option(
            metavar="DIR",
            help="write a trace of the batches 2 to 6, after compilation, for TensorBoard's "
            "profile plugin or ui.perfetto.dev, for example traces",
        ),
    ] = None

    @contextmanager
    def opened(self, command: str, run: str) -> Iterator[Reports]:
        """Open log and trackers for a run's name, before any work, and close them at its end.

        Raises `InputError` for what cannot be opened.
        """
        from salix.callbacks import open_json_log, open_tracker
        from salix.measurement import Callbacks

        callbacks: list[Callback] = []
        with ExitStack() as stack:
            if self.log_json is not None:
                callbacks.append(stack.enter_context(open_json_log(self.log_json, command, run)))
            for place in self.metrics_to:
                tracker = open_tracker(place, run)
                stack.callback(_close, tracker)
                callbacks.append(tracker)
            yield Reports(Callbacks(*callbacks), show=self.log_json != "-")


def _close(tracker: Any) -> None:
    """Close a tracker; an error is printed: rows and weights are written."""
    try:
        tracker.close()
    except Exception as error:
        print(f"{type(tracker).__name__} does not close: {error}", file=sys.stderr)
