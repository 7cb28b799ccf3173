"""Tables of images and sounds for the page of a study."""

from collections.abc import Mapping
from typing import Any

TITLES = {"vision": "Images", "audio": "Sounds"}


def signal_table(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the contents of a `results-<kind>.json` with a title, and lines of a table.

    A line has the set, network, accuracy and method, and a mean with its interval for each metric.
    """
    cells = {(s["condition"], s["network"], s["score"]): s for s in results["scores"]}
    lines = [
        {
            "condition": condition,
            "network": network,
            "accuracy": cells[condition, network, "accuracy"]["mean"],
            "method": method,
            "cells": [cells[condition, network, f"{method} {m}"] for m in results["metrics"]],
        }
        for condition, network in dict.fromkeys((c, n) for c, n, _ in cells)
        for method in results["methods"]
    ]
    return {**results, "title": TITLES[results["kind"]], "lines": lines}
