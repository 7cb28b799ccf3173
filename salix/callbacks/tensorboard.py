"""TensorBoard's event files, by tensorboardX."""

from pathlib import Path

from salix.measurement import Measurement
from salix.optional import import_extra


class TensorBoard:
    """Callback that writes scalars for TensorBoard below `folder`, in a folder of the run's name.

    Processes with runs of other names share `folder`; a resumed run adds a file to its own.
    """

    def __init__(self, folder: Path | str, run: str):
        writer = import_extra("tensorboardX", "tensorboardX", "tensorboard").SummaryWriter
        self.writer = writer(str(Path(folder) / run))

    def __call__(self, measurement: Measurement) -> None:
        for name, value in measurement.values.items():
            self.writer.add_scalar(name, value, measurement.step)
        self.writer.flush()

    def close(self) -> None:
        """Write what is left, and close the file."""
        self.writer.close()
