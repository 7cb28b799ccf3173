"""Training history: one Parquet part for each epoch, written atomically, and a line of log."""

from pathlib import Path
from typing import Any

import numpy as np

from salix.store import write_parquet

Record = dict[str, Any]  # metrics of one seed and one epoch, by name


def write(path: Path, epoch: int, records: list[Record]) -> None:
    """Write the records of an epoch, one for each seed, as one part; replaces an older one."""
    import pyarrow as pa

    write_parquet(path / f"epoch-{epoch:06d}.parquet", pa.Table.from_pylist(records))


def read(path: Path) -> list[Record]:
    """Return all records of a directory, in order of epoch and seed."""
    import pyarrow.parquet as pq

    parts = sorted(path.glob("epoch-*.parquet"))
    return [record for part in parts for record in pq.read_table(part).to_pylist()]


def values(record: Record) -> dict[str, float]:
    """Return the numbers of a record for callbacks, named by seed, with units."""
    names = {"waiting": "share_waiting_for_input"}
    seed = f"seed-{record['seed']}"
    numbers = {n: v for n, v in record.items() if n not in ("seed", "step") and v is not None}
    return {f"{seed}/{names.get(n, n)}": v for n, v in numbers.items()}


def line(record: Record, epochs: int) -> str:
    """Return a line of log for a record, without undefined metrics."""

    def metrics(kind: str, titles: dict[str, str]) -> str:
        values = ((title, record.get(f"{kind}_{name}")) for name, title in titles.items())
        return ", ".join(f"{t} {v:.3f}" for t, v in values if v is not None and np.isfinite(v))

    parts = {"loss": "loss", "cross_entropy": "cross-entropy", "human": "human"}
    parts |= {"cam_entropy": "CAM entropy", "accuracy": "accuracy"}
    ranks = {"auc": "AUC", "tdr_0.01": "TDR at FDR 1%", "acer": "ACER"}
    head = f"seed {record['seed']}, epoch {record['epoch'] + 1} of {epochs}"
    validation = metrics("validation", parts | ranks)
    speed = f"{record['images_per_second']:.0f} images/s, {record['waiting']:.0%} waiting"
    rate = f"learning rate {record['learning_rate']:.2g}"
    sections = (
        head,
        f"train {metrics('train', parts)}",
        validation and f"validation {validation}",
        rate,
        speed,
    )
    return "; ".join(filter(None, sections))
