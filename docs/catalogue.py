"""Catalogue of the methods and metrics for the documentation: `python docs/catalogue.py`.

Writes `docs/catalogue.json`, which the build of the site reads instead of importing Salix. A test
compares it with the code.
"""

import json
from pathlib import Path

from salix.cli.catalogues import method_records, metric_records

FILE = Path(__file__).parent / "catalogue.json"
SHAPE = (224, 224, 3)  # of the image that costs are for


def catalogue() -> dict[str, list[dict]]:
    """Return the records of all methods and metrics."""
    return {"methods": method_records(SHAPE), "metrics": metric_records(SHAPE)}


if __name__ == "__main__":
    FILE.write_text(json.dumps(catalogue(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
