"""A sweep that stores regions: its columns, its rows, and what the report makes of them."""

import jax.numpy as jnp
import numpy as np
import pytest

import salix
from salix.analysis import analyse
from salix.attribution import CAM
from salix.data import Arrays
from salix.measures import Regions
from salix.perturb.segmentation import SLIC
from salix.report import write
from salix.report.export import summary_records

SEGMENTATION = SLIC((4, 9))  # at most 13 segments
REGIONS = Regions(SEGMENTATION, side=8, dimensions=4)


@pytest.fixture(scope="module")
def few():
    """Five labelled random images."""
    images = np.random.default_rng(0).integers(0, 256, (5, 16, 16, 3), np.uint8)
    return Arrays(images, names=["real", "fake", "real", "fake", "real"])


@pytest.fixture(scope="module")
def run(tiny, few, tmp_path_factory):
    """A run of the small model on random images, with regions."""
    out = tmp_path_factory.mktemp("regions") / "run"
    return salix.sweep(*tiny, few, None, [REGIONS], out=out, targets="label")


def test_columns_have_their_types_and_shapes(run):
    stored = {n: (c.dtype, c.shape) for n, c in run.columns.items() if n.startswith("region_")}
    assert stored == {
        "region_count": ("int32", ()),
        "region_total": ("float32", ()),
        "region_absolute_total": ("float32", ()),
        "region_completeness": ("float32", ()),
        "region_area": ("float32", (13,)),
        "region_mass": ("float32", (13,)),
        "region_absolute": ("float32", (13,)),
        "region_rank": ("int32", (13,)),
        "region_drop": ("float32", (13,)),
        "region_labels": ("uint16", (2, 8, 8)),
        "region_attribution": ("float16", (8, 8)),
        "region_absolute_map": ("float16", (8, 8)),
        "region_descriptor": ("float16", (13, 25)),
        "region_features": ("float16", (13, 4)),
    }
    config = run.manifest["config"]
    assert config["attribution"].startswith("IntegratedGradients(baseline='black_white', steps=50")


def test_rows_are_complete_and_segments_are_those_of_the_segmentation(run, few):
    rows = run.read(["id", *(n for n in run.columns if n.startswith("region_"))])
    assert np.abs(rows["region_completeness"]).max() < 1e-3
    assert (rows["region_count"] == (rows["region_area"] > 0).sum(1)).all()
    labels = SEGMENTATION(few.read(0))
    area = np.bincount(labels.ravel(), minlength=14)[1:] / labels[0].size
    np.testing.assert_allclose(rows["region_area"][0], area, atol=0.05)  # of 16 x 16 pixels
    top = np.take_along_axis(rows["region_rank"], rows["region_rank"].argmax(1)[:, None], 1)
    assert (top > 0).all()


def test_the_report_leaves_regions_out(run, tmp_path):
    analysis = analyse([run])
    (frame,) = analysis.frames
    assert not [n for n in (*frame.numbers, *frame.arrays) if n.startswith("region_")]
    assert "Fall of the score" in write([run], tmp_path / "report.html").read_text()  # manifest
    metrics = {record["metric"] for record in summary_records(analysis)}
    assert "gini" in metrics
    assert not [m for m in metrics if m.startswith("region_")]


@pytest.mark.slow
def test_grey_oblong_images_of_a_network_in_bfloat16_on_a_coarse_grid(tmp_path):
    rng = np.random.default_rng(0)
    weights = {
        "filters": jnp.asarray(rng.normal(size=(2, 5)), jnp.bfloat16),
        "head": jnp.asarray(rng.normal(size=(5, 2)), jnp.bfloat16),
    }

    def trunk(w, x):
        pairs = jnp.concatenate([x, 1 - x], -1)[2::4, 2::4].astype(jnp.bfloat16)
        return jnp.maximum(pairs @ w["filters"], 0) / x.max().astype(jnp.bfloat16)

    model, params = salix.from_function(
        lambda w, f: f.mean((0, 1)) @ w["head"],
        weights,
        trunk=trunk,
        preprocess=salix.Preprocess((16, 24), 1),
    )
    images = rng.integers(0, 256, (3, 16, 24, 1), np.uint8)
    images[1] = 0  # divided by zero: no logits
    images[2] = 255  # a segment is as salient as its area
    run = salix.sweep(model, params, images, CAM(), [REGIONS], out=tmp_path / "run")
    rows = run.read([n for n in run.columns if n.startswith(("region_", "finite"))])
    assert rows["finite"].tolist() == [True, False, True]
    assert np.isnan(rows["region_completeness"]).all()
    for name in ("mass", "absolute", "total", "absolute_total", "attribution", "drop"):
        values = rows[f"region_{name}"]
        assert np.isnan(values[1]).all(), name
        assert np.isfinite(values[[0, 2]].reshape(2, -1)[:, 0]).all(), name
    assert not rows["region_rank"][1].any()
    assert rows["region_rank"][0].any()
    share = rows["region_absolute"][2] / rows["region_absolute_total"][2]
    np.testing.assert_allclose(share, rows["region_area"][2], atol=1e-3)
    lengths = np.linalg.norm(rows["region_features"][0].astype(float), axis=1)
    np.testing.assert_allclose(lengths, rows["region_area"][0] > 0, atol=2e-3)
