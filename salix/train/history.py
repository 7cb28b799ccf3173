"""What each epoch came to: one Parquet part an epoch, renamed into place, and a line."""

from pathlib import Path
from typing import Any

import numpy as np

from salix.store import write_parquet

Record = dict[str, Any]  # numbers of one seed and one epoch, by name


def write(path: Path, epoch: int, records: list[Record]) -> None:
    """Write the records of an epoch, one for each seed, as one part; an older one is replaced."""
    import pyarrow as pa

    write_parquet(path / f"epoch-{epoch:06d}.parquet", pa.Table.from_pylist(records))


def read(path: Path) -> list[Record]:
    """Return all records of a directory, in order of epoch and seed."""
    import pyarrow.parquet as pq

    parts = sorted(path.glob("epoch-*.parquet"))
    return [record for part in parts for record in pq.read_table(part).to_pylist()]


def line(record: Record, epochs: int) -> str:
    """Return what a terminal shows of an epoch; what is not defined is left out."""

    def told(kind: str, names: dict[str, str]) -> str:
        values = ((title, record.get(f"{kind}_{name}")) for name, title in names.items())
        return ", ".join(f"{t} {v:.3f}" for t, v in values if v is not None and np.isfinite(v))

    parts = {"loss": "loss", "cross_entropy": "cross-entropy", "human": "human"}
    parts |= {"cam_entropy": "CAM entropy", "accuracy": "accuracy"}
    ranks = {"auc": "AUC", "tdr_0.01": "TDR at FDR 1%", "acer": "ACER"}
    head = f"seed {record['seed']}, epoch {record['epoch'] + 1} of {epochs}"
    seen = f"train {told('train', parts)}"
    held = told("validation", parts | ranks)
    speed = f"{record['images_per_second']:.0f} images/s, {record['waiting']:.0%} waiting"
    rate = f"learning rate {record['learning_rate']:.2g}"
    return "; ".join(filter(None, (head, seen, held and f"validation {held}", rate, speed)))
