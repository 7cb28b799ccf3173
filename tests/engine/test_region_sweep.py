"""A sweep that stores regions: its columns, its rows, and what the report makes of them."""

import numpy as np
import pytest

import salix
from salix.analysis import analyse
from salix.measures import Regions
from salix.perturb.segmentation import SLIC
from salix.report import write
from salix.report.export import summary_records

SEGMENTATION = SLIC((4, 9))  # at most 13 segments
REGIONS = Regions(SEGMENTATION, side=8, dimensions=4)


@pytest.fixture(scope="module")
def run(tiny, pictures, tmp_path_factory):
    """A run of the small model on random images, with regions."""
    out = tmp_path_factory.mktemp("regions") / "run"
    return salix.sweep(*tiny, pictures, None, [REGIONS], out=out, targets="label")


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


def test_rows_are_complete_and_segments_are_those_of_the_segmentation(run, pictures):
    rows = run.read(["id", *(n for n in run.columns if n.startswith("region_"))])
    assert np.abs(rows["region_completeness"]).max() < 1e-3
    assert (rows["region_count"] == (rows["region_area"] > 0).sum(1)).all()
    labels = SEGMENTATION(pictures.read(0))
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
