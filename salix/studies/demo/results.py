"""Printed table of the demo, and the introduction of its report."""

from typing import Any

from salix.studies.demo.data import DemoFaces

COLUMNS = ("auc", "relevance_mass", "spatial_entropy", "agreement")


def introduction(faces: DemoFaces) -> tuple[str, ...]:
    """Return the paragraphs of the report's introduction."""
    method = "The map of an image is the Grad-CAM of the class fake, on the grid of the features."
    if not faces.has_reference_masks:
        return (" ".join((*faces.about, method)),)
    training = (
        "The guided detectors were trained with the CYBORG loss, which also pulls their maps "
        "towards the re-generated region. That reference mask is computed from the forgery: no "
        "person drew it."
    )
    return " ".join(faces.about), f"{training} {method}"


def print_table(table: list[dict[str, Any]]) -> None:
    """Print the summary: a line for each group, its runs, and the baselines."""
    from rich.console import Console
    from rich.table import Table

    shown = Table("detector", box=None, pad_edge=False)
    for title in ("AUC", "inside region", "spatial entropy", "agreement"):
        shown.add_column(title, justify="right")
    for row in table:
        intervals = [row["numbers"].get(key) or {"value": None} for key in COLUMNS]
        numbers = ["–" if i["value"] is None else f"{i['value']:.3f}" for i in intervals]
        indent, style = ("", "bold") if row["kind"] != "run" else ("  ", "")
        shown.add_row(indent + row["name"], *numbers, style=style)
    Console().print(shown)
