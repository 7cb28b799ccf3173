"""Run directories: Parquet parts of rows under one manifest."""

from salix.store.identity import (
    array_text,
    describe,
    describe_host_function,
    digest,
    digest_items,
    weights_digest,
)
from salix.store.manifest import circumstances, note_circumstances, open_run, update_about
from salix.store.reader import Run, read_runs
from salix.store.schema import KEYS
from salix.store.writer import Writer, write_parquet, write_run

__all__ = [
    "KEYS",
    "Run",
    "Writer",
    "array_text",
    "circumstances",
    "describe",
    "describe_host_function",
    "digest",
    "digest_items",
    "note_circumstances",
    "open_run",
    "read_runs",
    "update_about",
    "weights_digest",
    "write_parquet",
    "write_run",
]
