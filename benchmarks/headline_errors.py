"""How often a report on equal groups claims a difference: python benchmarks headline_errors.

Draws pages of runs in memory (`null_pages`) through `analyse` and `headline`, as `salix report`
does, and counts those whose headline tells groups apart: on null pages the error, which is to be at
most 5 %, and on pages with a true difference the power. A claim on one run against one is about
these two models: it is an error only where the models do not differ, that is without effects of
runs.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from null_pages import Design, claims, page

HERE = Path(__file__).parent
EQUAL = {
    "1 v 1": Design((1, 1), of_run=0),
    "2 v 2": Design((2, 2)),
    "3 v 3": Design((3, 3)),
    "5 v 5": Design((5, 5)),
    "10 v 10": Design((10, 10)),
    "1 v 5": Design((1, 5)),
    "2 v 8": Design((2, 8)),
    "3 v 10": Design((3, 10)),
    "4 groups of 3": Design((3,) * 4),
    "3 groups of 5": Design((5,) * 3),
}
GROUP_BY_IMAGE: dict[str, Any] = {"of_group_image": 0.1, "of_run": 0.01}
CLUSTERS = {"images": 120, "clusters": 24, "of_group_image": 0.05}
CONDITIONS: dict[str, dict[str, Any]] = {
    "effects of runs": {},
    "effects of group by image": GROUP_BY_IMAGE,
    "groups of images": CLUSTERS,
}
SINGLE = {  # of 1 v 1, without effects of runs
    "effects of group by image": GROUP_BY_IMAGE | {"of_run": 0.0},
    "groups of images": CLUSTERS,
}
OTHERS = {
    "3 v 3, small effects of runs": Design((3, 3), of_run=0.005),
    "3 v 3, great effects of runs": Design((3, 3), of_run=0.2),
    "3 v 3, skewed": Design((3, 3), skewed=True),
    "3 v 10, skewed": Design((3, 10), skewed=True),
    "5 v 5, skewed, group by image": Design((5, 5), skewed=True, **GROUP_BY_IMAGE),
    "3 v 3, one group 3 times as variable": Design((3, 3), by_group=3),
    "2 v 8, the smaller 3 times as variable": Design((2, 8), by_group=3),
    "3 v 10, the smaller 3 times as variable": Design((3, 10), by_group=3),
    "3 v 10, the larger 3 times as variable": Design((10, 3), by_group=3),
    "5 v 5, accuracy": Design((5, 5), auc=False),
    "5 v 5, AUC near 1": Design((5, 5), separation=4.0),
    "5 v 5, 12 uneven groups of images": Design(
        (5, 5), images=120, clusters=12, uneven=True, of_group_image=0.05
    ),
}


def null_designs() -> dict[str, Design]:
    """Return the designs of null pages by name."""
    designs = {}
    for sizes, design in EQUAL.items():
        for condition, settings in CONDITIONS.items():
            settings = SINGLE.get(condition, settings) if sizes == "1 v 1" else settings
            designs[f"{sizes}, {condition}"] = replace(design, **settings)
    return designs | OTHERS


def rate(design: Design, pages: int, **options: Any) -> float:
    """Return the share of pages whose headline tells groups apart."""
    return sum(claims(page(design, seed, **options)[0].text) for seed in range(pages)) / pages


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=1000, help="pages of each null design")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "headline-errors.json")
    options = parser.parse_args()
    errors, power = {}, {}
    for name, design in null_designs().items():
        errors[name] = rate(design, options.pages)
        print(f"{name}: {errors[name]:.3f}", flush=True)
    for runs in (3, 5, 10):
        for size in (2, 3, 5, 10):  # in standard deviations of runs
            design = Design((runs, runs), shift=0.03 * size)
            power[f"{runs} v {runs}, {size} sd"] = {
                "all numbers": rate(design, options.pages // 5),
                "primary": rate(design, options.pages // 5, primary="relevance_mass"),
            }
            print(power, flush=True)
    counts = {"pages": options.pages, "pages_of_power": options.pages // 5}
    result = counts | {"null_pages_with_a_claim": errors, "power": power}
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
