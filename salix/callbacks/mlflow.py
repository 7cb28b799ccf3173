"""Runs of an mlflow tracking server or a local store."""

import os
import time
from typing import Any

from salix.measurement import Measurement
from salix.optional import import_extra
from salix.typing import InputError

EXPERIMENT = "salix"


class MLflow:
    """Callback that logs to the mlflow store `uri`, `http://host:5000` or `sqlite:///mlflow.db`.

    The environment of mlflow decides the rest: MLFLOW_EXPERIMENT_NAME, by default salix, and
    MLFLOW_RUN_ID, which continues a run. Raises `InputError` for a store that mlflow cannot open.
    """

    def __init__(self, uri: str, run: str):
        mlflow = import_extra("mlflow", "mlflow", "mlflow")
        self.metric = import_extra("mlflow.entities", "mlflow", "mlflow").Metric
        try:
            self.client = mlflow.MlflowClient(tracking_uri=uri)
            self.run = os.environ.get("MLFLOW_RUN_ID") or self._create(run)
        except (mlflow.exceptions.MlflowException, ImportError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise InputError(f"mlflow store {uri!r}: {reason}") from error

    def _create(self, run: str) -> Any:
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME", EXPERIMENT)
        experiment = self.client.get_experiment_by_name(name)
        number = experiment.experiment_id if experiment else self.client.create_experiment(name)
        return self.client.create_run(number, run_name=run).info.run_id

    def __call__(self, measurement: Measurement) -> None:
        now = int(time.time() * 1000)  # ms
        values = measurement.values.items()
        metrics = [self.metric(name, float(value), now, measurement.step) for name, value in values]
        self.client.log_batch(self.run, metrics=metrics)

    def close(self) -> None:
        """End the mlflow run."""
        self.client.set_terminated(self.run)
