"""Result rows on disk: a run directory of Parquet parts under one manifest."""

from salix.store.manifest import digest, open_run, update_about
from salix.store.reader import Run, read_runs
from salix.store.writer import Writer

__all__ = ["Run", "Writer", "digest", "open_run", "read_runs", "update_about"]
