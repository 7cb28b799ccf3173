"""Protocol of a problem: the values that the engine computes of each example of a data set."""

from typing import Any, Protocol, runtime_checkable

from salix.data import Examples
from salix.typing import Column, Params, PRNGKey, Values

__all__ = ["Examples", "Problem"]


@runtime_checkable
class Problem(Protocol):
    """A function of one example and the description of its numbers.

    The engine lifts `row` over batches, compiles it once, and writes its values as one row for
    each example. Images are the problem `salix.engine.classification.Classification`.
    """

    @property
    def example(self) -> Any:
        """Shapes and types of one example, as `Examples.load` returns it.

        A pytree of `jax.ShapeDtypeStruct`, the same for all examples: ragged data is padded.
        """
        ...

    @property
    def columns(self) -> tuple[Column, ...]:
        """Description of the values of `row`, in the order in which a run stores them.

        `shape` and `dtype` come from the traced row and may be left out; a value without a
        description is stored under its name alone.
        """
        ...

    def row(self, params: Params, example: Any, key: PRNGKey) -> Values:
        """Return the values of one example: scalars and small arrays by the names of `columns`.

        Traced by JAX, without a batch axis. `key` depends on the run's seed and the example's id
        alone.
        """
        ...

    def identity(self) -> dict[str, Any]:
        """Return, as JSON, the settings by which a run is known.

        The engine adds parameters, data, seed and the traced `row` with its constants, so that
        settings are named for the sake of messages. `salix.store.describe` names arrays by their
        content and functions by module and name.
        """
        ...
