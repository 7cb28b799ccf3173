"""Runs over images in clusters, through the analysis: every interval knows the column `group`."""

import numpy as np
import pytest

from salix.analysis import analyse
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
