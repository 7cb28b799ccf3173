"""Result rows on disk: a run directory of Parquet parts under one manifest."""

from salix.store.manifest import (
    circumstances,
    digest,
    open_run,
    update_about,
    weights_digest,
)
from salix.store.reader import Run, read_runs
from salix.store.writer import Writer, write_whole

__all__ = [
    "Run",
    "Writer",
    "circumstances",
    "digest",
    "open_run",
    "read_runs",
    "update_about",
    "weights_digest",
    "write_whole",
]
