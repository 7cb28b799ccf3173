"""COSE of a run: from the columns of a sweep, against counting by hand, and on the page."""

import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.analysis import Frame
from salix.analysis.run_metrics import COSE as COSE_METRIC
from salix.attribution import InputXGradient
from salix.measures import COSE
from salix.report import write


def leaning(params, image):
    """Decide by which half is brighter: a mirrored image is of the other class."""
    lean = (image[:, :8].mean() - image[:, 8:].mean()) * params
    return jnp.stack([-lean, lean])


@pytest.fixture(scope="module")
def run(pictures, tmp_path_factory):
    path = tmp_path_factory.mktemp("cose") / "run"
    size = salix.Preprocess((16, 16))
    model, params = salix.from_function(
        leaning, np.ones((), np.float32), preprocess=size, name="leaning"
    )
    method, measures = InputXGradient(), [COSE(magnitudes=2)]
    return salix.sweep(model, params, pictures, method, measures, out=path)


def test_cose_is_that_of_pairs_counted_by_hand(run):
    rows, unchanged, changed = run.rows, [], []
    for i in range(len(rows["id"])):
        if rows["predicted"][i] != rows["label"][i]:
            continue
        for s, after in zip(rows["cose_similarity"][i], rows["cose_predicted"][i], strict=True):
            if np.isfinite(s):
                (unchanged if after == rows["label"][i] else changed).append(float(s))
    assert unchanged
    assert changed
    estimates = COSE_METRIC.of_run(Frame(run))
    c, f = np.mean(unchanged), np.mean(changed)
    assert estimates["cose_consistency"].value == pytest.approx(c)
    assert estimates["cose_fidelity"].value == pytest.approx(f)
    assert estimates["cose"].value == pytest.approx(np.sqrt(c * (1 - f)))
    assert (estimates["cose_consistency"].n, estimates["cose_fidelity"].n) == (
        len(unchanged),
        len(changed),
    )
    for interval in estimates.values():
        assert interval.low <= interval.value <= interval.high


def test_the_page_shows_it_and_runs_without_it_have_none(run, two_groups, tmp_path):
    assert "COSE: consistency" in write([run], tmp_path / "r.html").read_text()
    assert COSE_METRIC.of_run(Frame(two_groups(8)[0])) == {}
    assert (
        "COSE" not in write(two_groups(8)[:1], tmp_path / "s.html").read_text().split("<script")[0]
    )
