"""The engine: the only place that batches, compiles, shards and dispatches."""

from salix.engine.run import sweep

__all__ = ["sweep"]
