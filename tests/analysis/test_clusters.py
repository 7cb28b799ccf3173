"""Runs over images in clusters, through the analysis: every interval knows the column `group`."""

import numpy as np
import pytest
from scipy.stats import norm

from salix import sweep
from salix.analysis import Frame, analyse
from salix.data import Arrays
from salix.stats import mean_interval
from salix.typing import Column

GROUP = Column("group", dtype="string")
SERIES = Column("steps", dtype="float32", title="Steps: value", axis="step", coordinates=(0.0, 1.0))


def rows_of(values, *, names=None, copies=1):
    """Rows of images with these scores: half of them forged, classified by the sign, a map each."""
    rows, maps = [], np.random.default_rng(1).integers(0, 256, (len(values), 16))
    for i in np.repeat(np.arange(len(values)), copies):
        label, z = int(i % 2), float(values[i] + 0.8 * (i % 2) - 0.4)
        row = {"label": label, "logits": [-z / 2, z / 2], "predicted": int(z > 0), "target": 1}
        row |= {"id": f"{('old', 'new')[i // 2 % 2]}/{len(rows):05d}.png", "spatial_entropy": z}
        row |= {"steps": [z, 2 * z], "map": maps[i].tolist()}
        rows.append(row | ({} if names is None else {"group": names[i]}))
    return rows


def intervals(analysis):
    """Every interval over images of an analysis, by a name."""
    (group,) = analysis.summary.groups
    every = {f"{r.name} {k}": i for r in group.runs for k, i in r.numbers.items()}
    every |= {f"{r.name} {k}": i for r in group.runs for k, row in r.arrays.items() for i in row}
    (shown,) = [d for c in analysis.columns if (d := analysis.distribution(c)) and c.key != "auc"][
        :1
    ]
    every |= {f"class {n}": row for n, row in enumerate(shown.means[0])}
    splits = analysis.decision_splits(analysis.series[0])
    every |= {f"right {s.name}": s.right for s in splits}
    for _, table in analysis.subsets.groups:
        for row in table:
            every |= {f"{row.subset} {row.part} {k}": i for k, i in row.numbers.items()}
            shifts = {k: s.interval for k, s in row.shifts.items()}
            every |= {f"shift {row.subset} {row.part} {k}": i for k, i in shifts.items()}
    return every


@pytest.fixture
def analysed(planted):
    def make(values, *, names=None, copies=1, name="one", run=0):
        group = {"group": ()} if names is not None else {}
        extra = {"steps": (2,)} | group
        runs = rows_of(values, names=names, copies=copies)
        return analyse([planted(runs, extra=extra, columns=(GROUP, SERIES))], in_set=["old"])

    return make


@pytest.mark.slow
def test_copies_of_images_add_nothing_anywhere(analysed):
    """50 copies of each image in a group of their own: the intervals of the images themselves."""
    values = np.random.default_rng(0).normal(size=120)
    once = intervals(analysed(values))
    named = intervals(analysed(values, names=[f"clip {i}" for i in range(120)], copies=50))
    without = intervals(analysed(values, copies=50))
    assert len(once) > 40
    assert once.keys() == named.keys()
    for key, expected in once.items():
        width = expected.high - expected.low
        own = named[key]
        assert own.clusters, key
        if not np.isfinite(width) or width == 0:
            continue
        assert own.value == pytest.approx(expected.value, abs=1e-6), key
        tight = "kolmogorov" in key or "wasserstein" in key or "map_" in key
        assert own.high - own.low == pytest.approx(width, rel=0.35 if tight else 0.15), key
        assert without[key].high - without[key].low < 0.5 * width, key


def test_one_group_has_no_limits(analysed):
    for key, interval in intervals(analysed(np.arange(40.0) % 7, names=["clip"] * 40)).items():
        assert not np.isfinite(interval.low) or interval.low == interval.value, key


def coverage(intervals, truth):
    return np.mean([i.low <= truth <= i.high for i in intervals])


@pytest.mark.slow
@pytest.mark.parametrize("runs", [1, 3])
def test_intervals_of_written_runs_cover(planted, runs):
    """20 groups of 50 images, intraclass correlation 0.5: means, accuracy, AUC and differences."""
    rng, repetitions = np.random.default_rng(2), 40
    code = np.repeat(np.arange(20), 50)
    names = [f"clip {c}" for c in code]
    means, shares, areas, differences, old = [], [], [], {}, []
    for n in range(repetitions):
        common, models = rng.normal(size=20)[code], []
        for group in "ab":
            effect = 0.5 * (rng.normal(size=20)[code] + rng.normal(size=1000))
            for seed in range(runs):
                image = common + rng.normal(size=1000) if not models else image
                score = np.sqrt(0.5) * image + effect + 0.2 * rng.normal(size=1000)
                options = {"extra": ("group",), "columns": (GROUP,), "classes": ("real", "forged")}
                rows = rows_of(score, names=names)
                name = f"{group} {n} {seed}"
                models.append(planted(rows, name=name, group=f"{group} {n}", **options))
        analysis = analyse(models)
        first = analysis.summary.groups[0]
        means.append(first.interval("spatial_entropy"))
        shares.append(first.interval("accuracy"))
        areas.append(first.interval("auc"))
        for row in analysis.differences.rows:
            differences.setdefault(row.column.key, []).append(row.comparison)
        values = np.array([r["spatial_entropy"] for r in rows])
        old.append(mean_interval(values))
    least = 0.93 - 2 * np.sqrt(0.93 * 0.07 / repetitions)
    spread = np.sqrt(1 + 0.5 + 0.04)
    assert coverage(means, 0) >= least
    assert coverage(shares, norm.cdf(0.4 / spread)) >= least
    assert coverage(areas, norm.cdf(0.8 / spread / np.sqrt(2))) >= least
    for key in ("auc", "spatial_entropy"):
        assert coverage([c.difference for c in differences[key]], 0) >= least
        assert np.mean([c.p <= 0.05 for c in differences[key]]) <= 1 - least
        assert {c.difference.clusters for c in differences[key]} == {20}
    assert coverage(old, 0) < 0.6  # negative control: images as the sample


def test_groups_of_a_sweep_are_the_clusters_of_its_frame(tiny, tmp_path):
    """From `Arrays(groups=...)` to the rows, with images that have no group."""
    images = np.random.default_rng(3).integers(0, 256, (6, 16, 16, 3), np.uint8)
    groups = ["b", "a", None, "b", "a", None]
    data = Arrays(images, names=["real", "fake"] * 3, groups=groups)
    model, params = tiny
    run = sweep(model, params, data, out=tmp_path / "run", batch_size=3)
    frame = Frame(run)
    assert frame.clusters is not None
    codes = frame.clusters.tolist()
    assert (codes[0], codes[1]) == (codes[3], codes[4])
    assert len(set(codes)) == 4
    assert analyse([run]).summary.runs[0].clusters == 4
