"""CSV whose texts stay texts in a spreadsheet program."""

import csv
import re
from collections.abc import Iterable, Sequence
from io import StringIO

# Signs that begin a formula, also in their full-width and small forms.
SIGNS = "=+\\-@＝＋－＠﹦﹢﹣﹫"
# Characters that programs drop before they look for a sign.
BLANK = "[\\s\"'\x00-\x1f\u200b-\u200f\u2060\ufeff]*"
# A sign at the start, or after what another locale takes for the separator of cells or rows.
FORMULA = re.compile(f"^(?=[\t\r\n])|^(?={BLANK}[{SIGNS}])|(?<=[;\t\r\n])(?={BLANK}[{SIGNS}])")


def inert(text: str) -> str:
    """Return a text that a spreadsheet does not run: an apostrophe before the sign of a formula.

    Signs are = + - @ and their full-width forms, also behind spaces and quotation marks or after a
    semicolon, tab or line break; tab and line break at the start count as such (OWASP, CSV
    injection). Other texts are returned as they are.
    """
    return FORMULA.sub("'", text)


def csv_text(rows: Iterable[Sequence[str | float | None]]) -> str:
    """Return rows as CSV: texts as `inert` gives them, numbers with six digits, NaN as empty."""
    out = StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")  # so that both characters are quoted in texts
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        out.seek(out.tell() - 2)
        out.write("\n")
        out.truncate()
    return out.getvalue()


def _cell(value: str | float | None) -> str | int:
    if isinstance(value, str):
        return inert(value)
    if isinstance(value, int):
        return value
    return "" if value is None or value != value or abs(value) == float("inf") else f"{value:.6g}"
