"""At most 5 % of reports on equal groups claim a difference, and large differences are claimed."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import salix

PAGES = 100
# One of each kind of design and condition; benchmarks/headline_errors.py runs all, of more pages.
CHOSEN = (
    "1 v 1, effects of runs",
    "2 v 8, the smaller 3 times as variable",
    "3 v 10, skewed",
    "5 v 5, effects of group by image",
    "5 v 5, accuracy",
    "5 v 5, 12 uneven groups of images",
    "4 groups of 3, effects of runs",
)


def rate(folder: Path, design: str, pages: int, options: str = "") -> float:
    """Return the share of pages with a claim, in a process of its own.

    Without the checks of types that tests have, a page takes a third of the time.
    """
    code = "from headline_errors import null_designs, rate; from null_pages import Design; "
    code += f"print(rate({design}, {pages}, {options}))"
    paths = os.pathsep.join([str(Path(salix.__file__).parent.parent), str(folder)])
    command = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": paths}
    return float(
        subprocess.run(command, stdout=subprocess.PIPE, check=True, env=environment).stdout
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", CHOSEN)
def test_pages_on_equal_groups(folder, name):
    assert rate(folder, f"null_designs()[{name!r}]", PAGES) <= 0.05


@pytest.mark.slow
@pytest.mark.parametrize(("runs", "size", "least"), [(3, 10, 0.9), (5, 5, 0.95)])
def test_large_differences_are_claimed(folder, runs, size, least):
    design = f"Design({(runs, runs)}, shift={0.03 * size}, others=20)"
    assert rate(folder, design, 40) >= least


@pytest.mark.slow
def test_a_primary_number_is_claimed_at_smaller_differences(folder):
    design = "Design((3, 3), shift=0.12)"
    primary = rate(folder, design, 40, "primary='relevance_mass'")
    assert 0.1 < rate(folder, design, 40) < primary < 0.9


def test_claims_are_recognised(scripts):
    claims = scripts["null_pages"].claims
    assert not claims("b and a cannot be told apart in salience inside the region (5 % and 4 %).")
    assert claims("b has a higher AUC than a (0.9 against 0.8).")
    assert claims("Of these two models: a is more accurate than b (90 % against 80 % right).")
    assert claims("A and b cannot be told apart in AUC, but b spreads its salience over less of")


def test_results_are_within_the_level(scripts, folder):
    results = json.loads((folder / "results" / "headline-errors.json").read_text())
    rates = results["null_pages_with_a_claim"]
    assert set(rates) == set(scripts["headline_errors"].null_designs())
    assert results["pages"] >= 300
    assert max(rates.values()) <= 0.05
