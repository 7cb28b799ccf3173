"""Planted shift: its table against planted shares, and the study from end to end."""

from dataclasses import replace

import numpy as np
import pytest

from salix import store
from salix.cli import main
from salix.compare import Comparison, read_regions
from salix.compare.concepts import Concepts
from salix.compare.embedding import RegionEmbedding
from salix.compare.masks import pack
from salix.studies.photographs import lfw_photographs
from salix.studies.shift.data import GENERATORS, generator_mask, shift_faces
from salix.studies.shift.results import INSIDE, planted_regions, print_planted
from tests.compare.synthetic_runs import write_run

EYES, MOUTH, REST = range(3)
SHARES = {"smooth eyes": (0.5, 0.2, 0.2), "coarse mouth": (0.2, 0.3, 0.2)}


@pytest.fixture(scope="module")
def faces():
    return shift_faces(lfw_photographs("for a test"))


def planted_comparison(folder, faces, seeds):
    """Shares of three concepts: the eyes, the mouth and the rest; regions are in turn of each."""
    names = [(g, f"{g} {s}") for g in GENERATORS for s in range(seeds)]
    runs = [
        write_run(folder / n, name=n, group=g, images=50, segments=20, model=i, groups=True)
        for i, (g, n) in enumerate(names)
    ]
    table = read_regions(runs)
    labels = np.arange(len(table.image)) % 3
    sampled = np.linspace(0, 63, table.side).round().astype(int)
    eyes, mouth = (generator_mask(g)[np.ix_(sampled, sampled)] for g in GENERATORS)
    masks = np.stack([eyes > 0.5, mouth > 0.5, np.maximum(eyes, mouth) < 0.01])
    drops = np.stack([[3.0, 0.5, 0.5] if "eyes" in n else [0.5, 2.0, 0.5] for _, n in names])
    table = replace(
        table,
        ids=np.array(faces.test().ids, object),
        masks=pack(masks.reshape(3, -1))[labels],
        drop=drops[:, labels].astype(np.float32),
    )
    rng = np.random.default_rng(0)
    shares = np.stack([SHARES[g] for g, _ in names])[:, None] + rng.normal(0, 0.02, (50, 3))
    nan = (float("nan"),) * 2
    concepts = Concepts(labels, np.zeros((3, 2), np.float32), nan, nan, np.ones(3), 0.5)
    values = np.zeros((len(labels), 2), np.float32)
    embedding = RegionEmbedding("descriptor", ("descriptor",), values, 1.0)
    opened = tuple(store.Run(path) for path in runs)
    shares = shares + rng.normal(0, 0.01, shares.shape)
    return Comparison(opened, table, embedding, concepts, shares.astype(np.float32))


@pytest.mark.parametrize("seeds", [1, 2])
def test_the_table_has_the_planted_numbers(faces, tmp_path, capsys, seeds):
    comparison = planted_comparison(tmp_path, faces, seeds)
    eyes, mouth = regions = planted_regions(comparison, faces)
    assert [r.generator for r in regions] == list(GENERATORS)
    assert [(r.concept, r.rank) for r in regions] == [(EYES, 1), (MOUTH, 2)]
    for region, (own, other) in zip(regions, ((0.5, 0.2), (0.3, 0.2)), strict=True):
        assert (region.own, region.other) == pytest.approx((own, other), abs=0.02)
        assert region.difference.value == pytest.approx(own - other, abs=0.02)
        assert region.difference.low < own - other < region.difference.high
        assert region.precision > INSIDE
        assert region.recall > 0.9
        assert region.excess.value > 0
    # drops over each model's mean |drop|, 4/3 and 1
    assert (eyes.own_drop, eyes.other_drop) == pytest.approx((2.25, 0.5), rel=0.02)
    assert (mouth.own_drop, mouth.other_drop) == pytest.approx((2.0, 0.375), rel=0.02)
    print_planted(regions, 3)
    table = capsys.readouterr().out
    assert "1 of 3" in table
    assert "+0.300" in table or "+0.29" in table or "+0.30" in table
    assert all(len(line) <= 80 for line in table.splitlines())


@pytest.mark.optimised
@pytest.mark.slow
def test_the_study_from_end_to_end(tmp_path, capsys):
    arguments = ["study", "shift", "--offline", "--quick", "--seeds", "1", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "rank by |difference|" in capsys.readouterr().out
    runs = store.read_runs([tmp_path / "runs"])
    assert [run.group for run in runs] == ["coarse mouth", "smooth eyes"]
    assert (tmp_path / "compare.html").stat().st_size > 100_000
    assert (tmp_path / "forgeries.csv").read_text().count("both") > 0
    assert (tmp_path / "compare.concepts.parquet").exists()
