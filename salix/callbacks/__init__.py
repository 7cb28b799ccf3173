"""Callbacks that send the numbers of a run to TensorBoard, W&B, mlflow or a log of JSON lines."""

from salix.callbacks.json_log import JsonLog, open_json_log
from salix.callbacks.mlflow import MLflow
from salix.callbacks.tensorboard import TensorBoard
from salix.callbacks.wandb import WandB
from salix.measurement import Callback, Measurement
from salix.typing import InputError

__all__ = [
    "Callback",
    "JsonLog",
    "MLflow",
    "Measurement",
    "TensorBoard",
    "WandB",
    "open_json_log",
    "open_tracker",
]

TRACKERS = {"tensorboard": TensorBoard, "wandb": WandB, "mlflow": MLflow}


def open_tracker(text: str, run: str) -> TensorBoard | WandB | MLflow:
    """Return the callback of `tensorboard:DIR`, `wandb:PROJECT` or `mlflow:URI` for a run's name.

    Raises `InputError` for any other text, and where its package is not installed.
    """
    kind, _, place = text.partition(":")
    if kind not in TRACKERS or not place:
        raise InputError(
            f"metrics to {text!r}: give tensorboard:DIR, wandb:PROJECT or mlflow:URI, for example "
            "tensorboard:logs or mlflow:sqlite:///mlflow.db"
        )
    return TRACKERS[kind](place, run)
