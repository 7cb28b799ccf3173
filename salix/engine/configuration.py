"""Everything that decides the rows of a run, as JSON."""

from collections import Counter
from typing import Any

from salix.data import Examples
from salix.engine.problem import Problem
from salix.store import digest_items, weights_digest
from salix.typing import Column, InputError, Params


def configuration(
    problem: Problem,
    program: dict[str, str],
    params: Params,
    examples: Examples,
    *,
    batch_size: int,
    seed: int,
) -> dict[str, Any]:
    """Return everything that decides a row, as JSON; `program` is the `traced_identity`.

    The batch size is part of it: a resumed run must fill the same slots of the same program for its
    rows to be equal to the last bit.
    """
    identity = problem.identity()
    ids = {"count": len(examples.ids), "ids": digest_items(examples.ids)}
    engine = {
        "program": program,
        "weights": weights_digest(params),
        "data": {**examples.identity(), **ids},
        "batch_size": batch_size,
        "seed": seed,
    }
    if reserved := sorted(identity.keys() & engine.keys()):
        raise InputError(
            f"the problem's identity has {', '.join(reserved)}, which the engine writes: rename it"
        )
    return identity | engine


def check_names(columns: tuple[Column, ...], examples: Examples) -> None:
    """Raise `InputError` for columns of one name, and for data without examples."""
    repeated = [n for n, count in Counter(c.name for c in columns).items() if count > 1]
    if repeated:
        raise InputError(f"several columns are named {', '.join(repeated)}: rename the problem's")
    if not len(examples.ids):
        raise InputError("the data has no examples: give at least one")
