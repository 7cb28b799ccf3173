"""Rejects column-name collisions between measures, and with the columns of every sweep."""

from collections.abc import Collection, Iterable

from salix.typing import InputError, Measure


def claim_columns(
    owners: dict[str, Measure], measure: Measure, names: Iterable[str], reserved: Collection[str]
) -> None:
    """Enter the columns of a measure into `owners`, a mapping from column to measure.

    Raises `InputError` for a column that another measure writes, or that is `reserved`.
    """
    kind = type(measure).__name__
    for name in names:
        if name in reserved:
            raise InputError(f"{kind} writes the column {name!r}, as every sweep does: rename it")
        if name in owners:
            other = owners[name]
            renamable = any(hasattr(m, "prefix") for m in (measure, other))
            remedy = (
                "give one another prefix=…" if renamable else "leave one of them to another run"
            )
            raise InputError(
                f"{type(other).__name__} and {kind} both write the column {name!r}: {remedy}"
            )
        owners[name] = measure
