import pytest

from salix.compare.from_runs import compare
from tests.compare.synthetic_runs import write_run

SIZES = {"images": 80, "segments": 30, "side": 28}
NASTY = """<script>alert('x')</script>"'&{{ 7*7 }}</style>"""


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Run directories of two models, one of which relies on the planted concept."""
    folder = tmp_path_factory.mktemp("runs")
    pictures = folder / "pictures"
    names = {"guided": 6.0, NASTY: 1.0}
    paths = [folder / "guided", folder / "other"]
    for path, (number, (name, strength)) in zip(paths, enumerate(names.items()), strict=True):
        write_run(path, name=name, planted=strength, model=number, pictures=pictures, **SIZES)
    return paths, pictures


@pytest.fixture(scope="session")
def comparison(runs):
    return compare(*runs[0], concepts=8)
