"""Whose column of a row is whose: no measure may write over another's."""

from collections.abc import Iterable

from salix.store.schema import STANDARD
from salix.typing import InputError, Measure

ROW = ("index", "id", "label", "skipped", *STANDARD, "thumb", "reference_mask")  # of any sweep


def claim(owners: dict[str, Measure], measure: Measure, names: Iterable[str]) -> None:
    """Enter the columns of a measure among those that have an owner.

    Raises `InputError` for a column that another measure, or every sweep, writes already.
    """
    kind = type(measure).__name__
    for name in names:
        if name in ROW:
            raise InputError(f"{kind} writes the column {name!r}, as every sweep does: rename it")
        if name in owners:
            other = owners[name]
            able = any(hasattr(m, "prefix") for m in (measure, other))
            remedy = "give one another prefix=…" if able else "leave one of them to another run"
            raise InputError(
                f"{type(other).__name__} and {kind} both write the column {name!r}: {remedy}"
            )
        owners[name] = measure
