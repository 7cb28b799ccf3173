"""Study of guided training: disjoint parts, masks, results against slow versions, resumption."""

import json
import shutil
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import roc_auc_score

from salix.data import Unreadable
from salix.data.assets import AssetError
from salix.engine.classification_columns import row_columns
from salix.stats import minimum_p
from salix.store import KEYS, Run, write_run
from salix.store.manifest import update_about
from salix.studies.guidance import data, stability
from salix.studies.guidance import results as numbers
from salix.studies.guidance import run as guidance
from salix.studies.guidance.data import Counts, FaceSet
from salix.typing import Column, InputError

COUNTS = Counts(train=11, validation=5, forged=10, dcgan=7, vae=6)


def portraits(root: Path, count: int = 3, side: int = 256) -> Path:
    root.mkdir()
    rng = np.random.default_rng(1)
    for i in range(count):
        image = rng.integers(0, 256, (side, side, 3), np.uint8)
        Image.fromarray(image).save(root / f"p{i}.png")
    return root


def photographs(count: int = 40) -> Any:
    """Smooth coloured pictures, each with a name."""
    rng = np.random.default_rng(0)
    small = rng.integers(30, 226, (count, 6, 6, 3), np.uint8)
    pixels = np.stack(
        [Image.fromarray(s).resize((64, 64), Image.Resampling.BICUBIC) for s in small]
    )
    return pixels, tuple(f"{i:06d}" for i in range(count))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """The study's faces of made-up photographs and generators."""
    rng = np.random.default_rng(2)
    grey = rng.integers(0, 256, (9, 64, 64), np.uint8)
    monkeypatch.setattr(data, "celeba_faces", photographs)
    monkeypatch.setattr(
        data, "generate_faces", lambda n: rng.integers(0, 256, (n, 64, 64, 3), np.uint8)
    )
    monkeypatch.setattr(data, "olivetti", lambda: (grey, np.arange(9) // 3))
    drawn = FaceSet(np.zeros((6, 64, 64, 3), np.uint8), tuple("abcdef"), True)
    monkeypatch.setattr(data, "autoencode_faces", lambda grey, people, count: drawn)
    return data.study_faces(portraits(tmp_path / "sd3"), COUNTS)


def check(study: Any, total: int) -> None:
    """Check the invariants of the faces of a study of `total` photographs."""
    ids = {"train": study.train.ids, "validation": study.validation.ids, "test": study.source().ids}
    used = {}
    for part, of in ids.items():
        assert len(set(of)) == len(of)
        taken = [id.split("/") for id in of if id.split("/")[0] in ("celeba", "forged")]
        used[part] = {key.split("-")[0] for _, key in taken}
    for one, other in combinations(used.values(), 2):
        assert not one & other  # no photograph is in two parts, forged or not
    assert len(set().union(*used.values())) == total
    assert not {*ids["train"]} & {*ids["validation"]}
    for part, size in ((study.train, COUNTS.train), (study.validation, COUNTS.validation)):
        assert np.bincount(part.labels).tolist() == [size, 2 * size]
        kinds = [id.split("/")[0] for id in part.ids]
        assert kinds == ["celeba"] * size + ["forged"] * size + ["dcgan"] * size
        marked = part.reference_masks.reshape(3 * size, -1).max(1) > 0
        assert marked.tolist() == [k == "forged" for k in kinds]
        compare(
            part.pixels[:size], part.pixels[size : 2 * size], part.reference_masks[size : 2 * size]
        )
    test, source = study.test, study.source()
    assert list(test) == list(data.TEST)
    assert [id.split("/")[0] for id in source.ids] == [n for n in test for _ in test[n].keys]
    expected = [("fake", "real")[n in data.REAL] for n in test for _ in test[n].keys]
    assert list(source.labels) == expected
    assert source.has_reference_masks
    for at, id in enumerate(source.ids):
        assert (source.reference_mask(at) is not None) == id.startswith("forged/")
    forged = test["forged"]
    assert len(forged.keys) == COUNTS.forged
    assert [k.split("-")[1] for k in forged.keys] == [*data.KINDS, *data.KINDS]
    compare(test["celeba"].pixels[: COUNTS.forged], forged.pixels, forged.masks)


def compare(real: np.ndarray, forged: np.ndarray, masks: np.ndarray) -> None:
    """A forgery differs from its photograph inside its mask and nowhere else."""
    change = np.abs(forged.astype(int) - real).max(-1)
    assert change[masks == 0].max() <= 1  # an 8-bit mask of 0 may be one of 0.001
    for one, mask in zip(change, masks, strict=True):
        assert one[mask > 127].mean() >= 1


def test_parts_share_no_photograph_and_masks_mark_what_was_forged(made: Any) -> None:
    check(made, 40)
    assert len(made.test["celeba"].keys) == 40 - 16
    assert made.test["sd3"].keys == ("p0", "p1", "p2")
    olivetti = made.test["olivetti"].pixels
    assert (olivetti == olivetti[..., :1]).all()


def test_all_pictures_take_one_path() -> None:
    wide = np.random.default_rng(0).integers(0, 256, (140, 120, 3), np.uint8)
    expected = Image.fromarray(wide).resize((64, 64), Image.Resampling.BILINEAR)
    small = wide[:64, :64]
    for image in (wide, Image.fromarray(wide)):
        np.testing.assert_array_equal(data.preprocess_faces([image])[0], np.asarray(expected))
    np.testing.assert_array_equal(data.preprocess_faces([small, small[..., 0]])[0], small)
    grey = data.preprocess_faces([small[..., 0]])[0]
    np.testing.assert_array_equal(grey, np.repeat(small[..., :1], 3, -1))
    ratios = [(b - t) / (r - le) for le, t, r, b in (data.CELEBA, data.PORTRAIT)]
    assert ratios[0] == ratios[1]  # no face is stretched more than another


def test_the_study_is_the_same_every_time_and_says_what_it_lacks(made: Any, tmp_path: Path) -> None:
    again = data.study_faces(tmp_path / "sd3", COUNTS)
    np.testing.assert_array_equal(again.test["forged"].pixels, made.test["forged"].pixels)
    assert again.train.ids == made.train.ids
    with pytest.raises(InputError, match="need more than the 40 photographs"):
        data.study_faces(tmp_path / "sd3", Counts(train=30, validation=5, forged=6))
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match=r"has no \.jpg or \.png"):
        data.portrait_faces(tmp_path / "none")
    with pytest.raises(InputError, match=r"p0\.png is not of 256 x 256"):
        data.portrait_faces(portraits(tmp_path / "large", 1, 300))
    (tmp_path / "sd3" / "p3.png").write_bytes(b"broken")
    with pytest.raises(Unreadable):
        data.portrait_faces(tmp_path / "sd3")


@pytest.mark.slow
@pytest.mark.assets
def test_the_study_of_real_photographs(tmp_path: Path) -> None:
    try:
        study = data.study_faces(portraits(tmp_path / "sd3"), COUNTS)
    except AssetError as error:
        pytest.skip(str(error))
    check(study, 999)
    assert len(study.test["celeba"].keys) == 999 - 16
    assert len(study.test["olivetti"].keys) == 400
    vae = study.test["vae"]
    assert [k.split("-")[0] for k in vae.keys] == ["rebuilt"] * 3 + ["drawn"] * 3
    at = [study.test["olivetti"].keys.index(k.removeprefix("rebuilt-")) for k in vae.keys[:3]]
    near = np.abs(study.test["olivetti"].pixels[at].astype(int) - vae.pixels[:3]).mean()
    assert 1 < near < 20
    softer = numbers.baselines(study.test)
    assert softer["vae"]["value"] > 0.9  # an autoencoder's faces are soft
    assert softer["dcgan"]["n"] == 983 + 7


def write(path: Path, name: str, group: str, values: dict[str, Any]) -> Run:
    """Write a run of columns that are arrays over images."""
    count = len(values["id"])
    config = {"classes": ["real", "fake"], "grid": [8, 8], "data": {"count": count}}
    names = ("relevance_mass", "relevance_mass_0", "relevance_mass_1")
    columns = (*row_columns(2, (8, 8)), *map(Column, names))
    rows = [
        {"index": i, **{n: v[i].reshape(-1) if v[i].ndim else v[i] for n, v in values.items()}}
        for i in range(count)
    ]
    write_run(path / name, columns, rows, config=config, about={"name": name, "group": group})
    return Run(path / name)


SIZES = {"celeba": 30, "forged": 12, "dcgan": 10, "sd3": 8, "olivetti": 9, "vae": 7}


def synthetic(seed: int, better: float, noise: float) -> dict[str, Any]:
    """Rows of a run: `better` parts the classes and focuses, `noise` is its own in its maps."""
    rng = np.random.default_rng(seed)
    ids = np.array([f"{c}/{i}-{data.KINDS[i % 5]}" for c, n in SIZES.items() for i in range(n)])
    label = np.array([int(c not in data.REAL) for c, n in SIZES.items() for _ in range(n)])
    fake = better * label + rng.normal(size=len(ids))
    logits = np.stack([-fake, fake], 1).astype(np.float32)
    shared = np.random.default_rng(0).integers(60, 190, (len(ids), 8, 8))
    own = rng.integers(-60, 61, shared.shape) * noise
    relevance_mass = np.where(
        np.char.startswith(ids, "forged/"), 0.2 * better + 0.01 * fake, np.nan
    )
    return {
        "id": ids,
        "label": label,
        "logits": logits,
        "predicted": (fake > 0).astype(int),
        "spatial_entropy": (0.9 - 0.1 * better + 0.001 * fake).astype(np.float32),
        "histogram_entropy": (0.8 + 0.001 * fake).astype(np.float32),
        "constant_map": np.arange(len(ids)) == 3,
        "relevance_mass": relevance_mass.astype(np.float32),
        "relevance_mass_0": np.zeros(len(ids), np.float32),
        "relevance_mass_1": (relevance_mass / 2).astype(np.float32),
        "map": (shared + own).astype(np.uint8),
    }


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> list[Run]:
    path = tmp_path_factory.mktemp("runs")
    kinds = {"cross-entropy": (0.5, 1.0), "cyborg": (2.0, 0.1), "focus": (0.5, 1.0)}
    return [
        write(path, f"{g}-{s}", g, synthetic(100 * at + s, *of))
        for at, (g, of) in enumerate(kinds.items())
        for s in range(1, 5)
    ]


def test_placements_are_the_area_under_the_curve(runs: list[Run]) -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.integers(0, 9, 40).astype(float), rng.integers(2, 12, 30).astype(float)
    areas_of_fakes = numbers.placements(real, fake)
    slow = [np.mean([(f > r) + (f == r) / 2 for r in real]) for f in fake]
    np.testing.assert_allclose(areas_of_fakes, slow)
    auc = roc_auc_score(np.repeat([0, 1], [40, 30]), np.concatenate([real, fake]))
    assert areas_of_fakes.mean() == pytest.approx(auc)
    rows, tables = runs[0].rows, numbers.tables(runs)
    at = numbers.subsets(rows["id"])
    score = rows["logits"][:, 1] - rows["logits"][:, 0]
    for name, pairs in numbers.AREAS.items():
        assert tables[name]["cyborg"].shape == (4, sum(SIZES[f] for f in pairs))
        parts = []
        for fake_name, real_name in pairs.items():
            of = np.isin(at, (fake_name, real_name))
            parts.append((SIZES[fake_name], roc_auc_score(rows["label"][of], score[of])))
        areas = sum(n * area for n, area in parts) / sum(n for n, _ in parts)
        assert tables[name]["cross-entropy"][0].mean() == pytest.approx(areas)
    kinds = np.concatenate([tables[f"auc_{kind}"]["focus"] for kind in data.KINDS], 1)
    np.testing.assert_array_equal(np.sort(kinds), np.sort(tables["auc_forged"]["focus"]))
    np.testing.assert_array_equal(
        tables["auc_warp"]["focus"], tables["auc_forged"]["focus"][:, data.KINDS.index("warp") :: 5]
    )
    assert tables["relevance_mass"]["focus"].shape == (4, 12)
    np.testing.assert_allclose(
        tables["relevance_mass_of_fake"]["focus"], tables["relevance_mass"]["focus"] / 2
    )
    assert tables["spatial_entropy"]["focus"].shape == (4, 52)


def test_a_class_order_of_its_own_turns_the_score() -> None:
    rows = synthetic(0, 1.0, 0.0)
    turned = rows | {"logits": rows["logits"][:, ::-1]}
    one, other = numbers.run_values(rows, 1), numbers.run_values(turned, 0)
    np.testing.assert_array_equal(one["auc_sd3"], other["auc_sd3"])


@pytest.mark.slow
def test_results_tell_apart_what_differs_and_nothing_else(runs: list[Run]) -> None:
    results = numbers.results(runs)
    assert list(results["losses"]) == ["cross-entropy", "cyborg", "focus"]
    cyborg = results["losses"]["cyborg"]
    assert cyborg["runs"] == [f"cyborg-{i}" for i in range(1, 5)]
    assert cyborg["stability"]["value"] > 0.9 > results["losses"]["focus"]["stability"]["value"]
    assert cyborg["stability"]["undefined"] == 1  # the constant map
    assert cyborg["constant_map"]["value"] == pytest.approx(1 / 52, abs=1e-5)
    differences = results["less_cross_entropy"]
    assert list(differences) == ["cyborg", "focus"]
    for measure in (
        "auc_in_set",
        "auc_out_of_set",
        "relevance_mass",
        "stability",
        "spatial_entropy",
    ):
        of = differences["cyborg"][measure]
        mean = cyborg[measure]["value"] - results["losses"]["cross-entropy"][measure]["value"]
        assert of["difference"]["value"] == pytest.approx(mean, abs=2e-5)
        assert of["p"] == pytest.approx(minimum_p(4, 4))
        assert of["p_adjusted"] == pytest.approx(2 * of["p"])  # of two losses, within a measure
        assert differences["focus"][measure]["p_adjusted"] > 0.05
    gap = differences["cyborg"]["stability"]["difference"]
    assert (gap["n"], gap["undefined"]) == (51, 1)
    claims = {(d["measure"], d["loss"]): d for d in results["directions"]}
    assert len(claims) == 2 * len(numbers.CLAIMS)
    for measure in numbers.CLAIMS:
        expected = measure != "histogram_entropy"
        assert claims[measure, "cyborg"]["held"] == expected
        assert not claims[measure, "focus"]["held"]
        assert claims[measure, "cyborg"]["held_by_test"] == (
            2 * minimum_p(4, 4) <= 0.05 and expected
        )


@pytest.mark.slow
def test_a_direction_against_the_published_one_does_not_hold(
    runs: list[Run], tmp_path: Path
) -> None:
    names = {"cross-entropy": "cyborg", "cyborg": "cross-entropy"}
    swapped = []
    for run in runs:
        shutil.copytree(run.path, tmp_path / run.name)
        group = names.get(run.group, run.group)
        update_about(tmp_path / run.name, group=group)
        swapped.append(Run(tmp_path / run.name))
    claims = {(d["measure"], d["loss"]): d for d in numbers.results(swapped)["directions"]}
    assert not claims["spatial_entropy", "cyborg"]["held"]
    assert claims["spatial_entropy", "cyborg"]["found"] == "higher"
    assert claims["stability", "cyborg"]["found"] == "lower"


def test_splits_of_runs_are_counted_out() -> None:
    rng = np.random.default_rng(0)
    similar = rng.uniform(0, 1, (6, 6))
    similar = np.triu(similar, 1) + np.triu(similar, 1).T

    def gap(of: tuple[int, ...]) -> float:
        rest = [i for i in range(6) if i not in of]
        means = [np.mean([similar[p] for p in combinations(g, 2)]) for g in (of, rest)]
        return abs(means[0] - means[1])

    every = list(combinations(range(6), 3))
    expected = np.mean([gap(of) >= gap((0, 1, 2)) - 1e-12 for of in every])
    assert stability.split_test(similar, 3) == pytest.approx(expected)
    alike = np.zeros((6, 6))
    alike[:3, :3] = 1 - np.eye(3)
    assert stability.split_test(alike, 3) == pytest.approx(minimum_p(3, 3))
    assert stability.split_test(np.ones((6, 6)) - np.eye(6), 3) == 1


def test_undefined_limits_are_null() -> None:
    from salix.stats import Interval

    interval = numbers.interval_json(Interval(0.5, float("nan"), float("nan"), 1, 2))
    assert interval == {"value": 0.5, "low": None, "high": None, "n": 1, "undefined": 2}


@pytest.mark.slow
def test_the_whole_study_runs_and_goes_on(
    made: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = {"cross-entropy": guidance.LOSSES["cross-entropy"]}
    monkeypatch.setattr(guidance, "study_faces", lambda portraits: made)
    monkeypatch.setattr(guidance, "NETWORK", "small")
    monkeypatch.setattr(guidance, "LOSSES", one)
    path = tmp_path / "results.json"
    job = guidance.Guidance(tmp_path / "sd3", tmp_path / "out", path, seeds=2, epochs=1)
    first = job.run()
    names = [f"cross-entropy-{seed}" for seed in (1, 2)]
    assert sorted(p.stem for p in (tmp_path / "out" / "models").iterdir()) == names
    runs = [Run(tmp_path / "out" / "runs" / name) for name in names]
    assert [(r.name, r.group) for r in runs] == [(n, "cross-entropy") for n in names]
    assert {tuple(r.rows["id"]) for r in runs} == {tuple(made.source().ids)}
    rows = runs[0].rows
    fake, forged = rows["predicted"] == 1, np.char.startswith(rows["id"].astype(str), "forged/")
    assert np.isfinite(rows["relevance_mass_1"]).tolist() == forged.tolist()
    same = rows["relevance_mass"] == rows["relevance_mass_1"]
    assert same[forged & fake].all()
    assert not same[forged & ~fake].any()
    expected = [c.name for c in (*KEYS, *row_columns(2, (8, 8)))]
    assert sorted(runs[0].columns) == sorted([*expected, "relevance_mass", "relevance_mass_1"])
    assert first["images"]["test"]["forged"] == 10
    assert first["images"]["train"] == [11, 22]
    assert 0.05 < first["mask_mean"] < 0.3
    assert first["pace"]["cross-entropy"]["images_per_second"] > 0
    stored = json.loads(path.read_text())
    assert stored["conjectures"] == []
    path.write_text(json.dumps(stored | {"conjectures": ["why"]}))
    again = job.run()
    assert again["conjectures"] == ["why"]
    assert again["losses"] == first["losses"]
    assert "NaN" not in path.read_text()
