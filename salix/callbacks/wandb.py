"""Runs of Weights & Biases."""

from salix.measurement import Measurement
from salix.optional import import_extra
from salix.typing import InputError


class WandB:
    """Callback that logs to a W&B `project` under the run's name.

    The environment of W&B decides the rest: WANDB_MODE=offline writes to ./wandb alone, to be sent
    by `wandb sync`; WANDB_RUN_ID and WANDB_RESUME=allow continue a run. Raises `InputError` where
    W&B cannot start, as without a key.
    """

    def __init__(self, project: str, run: str):
        wandb = import_extra("wandb", "W&B", "wandb")
        settings = wandb.Settings(console="off", silent=True)
        try:
            self.run = wandb.init(project=project, name=run, settings=settings)
        except wandb.errors.Error as error:
            reason = str(error).splitlines()[0]
            raise InputError(
                f"W&B project {project!r}: {reason}; set WANDB_API_KEY, or WANDB_MODE=offline"
            ) from error
        self.run.define_metric("*", step_metric="step")

    def __call__(self, measurement: Measurement) -> None:
        self.run.log({**measurement.values, "step": measurement.step})

    def close(self) -> None:
        """Send or write what is left, and end the W&B run."""
        self.run.finish()
