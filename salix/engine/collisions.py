"""Rejects column-name collisions between measures, and with the columns of every sweep."""

from collections.abc import Collection, Iterable

from salix.engine.user_functions import name_of
from salix.typing import InputError, Measure


def claim_columns(
    owners: dict[str, Measure], measure: Measure, names: Iterable[str], reserved: Collection[str]
) -> None:
    """Enter the columns of a measure into `owners`, a mapping from column to measure.

    Raises `InputError` for a column that another measure writes, or that is `reserved`.
    """
    kind = name_of(measure)
    for name in names:
        if name in reserved:
            raise InputError(f"{kind} writes the column {name!r}, as every sweep does: rename it")
        if name in owners:
            other = owners[name]
            pair = measure, other
            options = [o for m in pair for o in ("prefix", "name") if hasattr(m, o)]
            remedy = f"give one another {options[0]}=…" if options else "measure one in another run"
            raise InputError(
                f"{name_of(other)} and {kind} both write the column {name!r}: {remedy}"
            )
        owners[name] = measure
