"""The engine: the only place that batches, compiles, shards and dispatches."""

from salix.sweep.run import sweep

__all__ = ["sweep"]
