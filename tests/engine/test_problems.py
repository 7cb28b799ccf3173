"""Problems other than images: swept, killed, resumed, and wrong ones refused."""

import ast
import importlib.util
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix import report
from salix.attribution import InputXGradient, IntegratedGradients
from salix.engine import Problem, run_problem
from salix.engine.problem import Examples
from salix.engine.program import micro_batch
from salix.store import Run
from salix.typing import Column, InputError

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
EXAMPLE_RUNS = {
    "tabular": "module.Regression(IntegratedGradients(steps=16)), params, module.Houses()",
    "sentence_pairs": "module.SentencePairs(InputXGradient()), params, module.pairs()",
}
CODE = """
import importlib.util, sys, time
from salix import report
from salix.attribution import InputXGradient, IntegratedGradients
from salix.engine import run_problem
from salix.engine import run as engine_run

spec = importlib.util.spec_from_file_location("example", {path!r})
module = sys.modules["example"] = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
engine_run.FLUSH_SECONDS = 0.0
params = module.parameters()
problem, params, examples = {arguments}
load = type(examples).load
def slow(self, index):
    time.sleep({sleep})
    return load(self, index)
type(examples).load = slow
run_problem(problem, params, examples, out=sys.argv[1], batch_size=4, workers=1, seed=3)
"""


def load_example(name):
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def start(name, out, sleep):
    path = str(EXAMPLES / f"{name}.py")
    code = CODE.format(path=path, arguments=EXAMPLE_RUNS[name], sleep=sleep)
    return subprocess.Popen([sys.executable, "-c", code, str(out)], env=os.environ)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow) for name in ("tabular", "sentence_pairs")]
)
def test_rows_are_bit_identical_after_a_kill_and_a_resume(name, tmp_path, kill_after_first_part):
    assert start(name, tmp_path / "whole", 0).wait(120) == 0
    process = start(name, tmp_path / "killed", 0.05)
    kill_after_first_part(process, tmp_path / "killed")
    killed, whole = Run(tmp_path / "killed"), Run(tmp_path / "whole")
    assert 0 < len(killed.table) < killed.count
    assert not killed.complete
    assert start(name, tmp_path / "killed", 0).wait(120) == 0
    resumed = Run(tmp_path / "killed")
    assert resumed.complete
    assert repr(resumed.table.to_pylist()) == repr(whole.table.to_pylist())


def test_a_table_has_predictions_contributions_and_skipped_rows(tmp_path):
    module = load_example("tabular")
    problem = module.Regression(IntegratedGradients(steps=16))
    params, houses = module.parameters(), module.Houses()
    assert isinstance(problem, Problem)
    assert isinstance(houses, Examples)
    run = run_problem(problem, params, houses, out=tmp_path / "run", name="houses")
    assert (run.name, run.classes, run.complete, run.count) == ("houses", (), True, 50)
    assert [s["id"] for s in run.skipped] == [f"house-{i}" for i in range(9, 50, 10)]
    assert run.columns["contribution"].dims == ("feature",)
    assert run.columns["contribution"].shape == (4,)
    assert run.columns["error"].direction == "lower"
    rows = run.rows
    assert set(rows) == {"index", "id", "prediction", "error", "contribution", "gap"}
    for i, index in enumerate(rows["index"]):
        example = houses.load(int(index))
        value = np.tanh(example["features"] @ params["hidden"]) @ params["out"]
        assert rows["prediction"][i] == pytest.approx(value, abs=1e-5)
        assert rows["error"][i] == pytest.approx(abs(value - example["price"]), abs=1e-5)
    np.testing.assert_allclose(rows["contribution"].sum(1), rows["prediction"], atol=0.01)
    assert np.abs(rows["gap"]).max() < 0.01


def test_ragged_sentences_are_padded_and_their_text_stays_on_the_host(tmp_path):
    module = load_example("sentence_pairs")
    pairs, params = module.pairs(), module.parameters()
    run = run_problem(module.SentencePairs(InputXGradient()), params, pairs, out=tmp_path / "run")
    rows = run.rows
    assert rows["relevance"].shape == (40, 2, module.LENGTH)
    for i in range(40):
        example = pairs.load(i)
        np.testing.assert_array_equal(np.isfinite(rows["relevance"][i]), example["mask"])
        a, b = (
            params[tokens[mask]].mean(0)
            for tokens, mask in zip(example["tokens"], example["mask"], strict=True)
        )
        cosine = a @ b / np.sqrt((a @ a) * (b @ b))
        assert rows["similarity"][i] == pytest.approx(cosine, abs=1e-5)
        assert rows["text"][i] == " | ".join(pairs.texts[i])
    assert (rows["dropped"] != rows["similarity"]).mean() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLE_RUNS)
def test_a_row_does_not_depend_on_its_batch_and_random_keys_on_the_seed_alone(name, tmp_path):
    module = load_example(name)
    names = {"module": module, "params": module.parameters()}
    arguments = eval(EXAMPLE_RUNS[name], globals() | names)
    runs = [
        run_problem(*arguments, out=tmp_path / f"{size}-{seed}", batch_size=size, seed=seed)
        for size, seed in ((1, 0), (7, 0), (64, 0), (64, 1))
    ]
    texts = [repr(run.table.to_pylist()) for run in runs]
    assert texts[0] == texts[1] == texts[2]
    assert (texts[2] == texts[3]) == (name == "tabular")  # which draws nothing


@pytest.mark.parametrize("name", EXAMPLE_RUNS)
def test_examples_of_the_docs_are_short(name):
    tree = ast.parse((EXAMPLES / f"{name}.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno < 60


@dataclass(frozen=True)
class Numbers:
    """Three numbers, as examples."""

    values: tuple = (1.0, 2.0, 3.0)
    columns: tuple[Column, ...] = ()

    @property
    def ids(self):
        return tuple("abc"[: len(self.values)])

    def load(self, index):
        return np.asarray(self.values[index], np.float32)

    def describe(self, index, example):
        return {}

    def identity(self):
        return {}


@dataclass(frozen=True)
class Square:
    """The square of a number."""

    columns: tuple[Column, ...] = (Column("square", "Square"),)
    names: tuple[str, ...] = ("square",)
    extra: tuple[str, ...] = ()
    example = jax.ShapeDtypeStruct((), np.float32)

    def row(self, params, example, key):
        return dict.fromkeys(self.names, example**2 * params)

    def identity(self):
        return {"problem": "square", **dict.fromkeys(self.extra, 0)}


PARAMS = np.float32(2)


@pytest.mark.parametrize(
    ("problem", "examples", "message"),
    [
        (Square(names=()), Numbers(), "describes square, its row has no such value"),
        (
            Square(columns=(Column("square", shape=(2,)),)),
            Numbers(),
            r"square is described as \(2,\), the row's value is \(\)",
        ),
        (Square(names=("square", "id")), Numbers(), "several columns are named id"),
        (Square(), Numbers(columns=(Column("square"),)), "several columns are named square"),
        (Square(extra=("seed",)), Numbers(), "identity has seed, which the engine writes"),
        (Square(), Numbers(values=()), "the data has no examples"),
    ],
)
def test_a_wrong_problem_is_refused_before_any_work(problem, examples, message, tmp_path):
    with pytest.raises(InputError, match=message):
        run_problem(problem, PARAMS, examples, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("value", [(1.0, 2.0), "x", 1j])
def test_an_example_of_another_shape_or_type_is_refused_by_its_id(value, tmp_path):
    class Wrong(Numbers):
        def load(self, index):
            return np.asarray(value if index == 1 else 1.0)

    with pytest.raises(InputError, match=r"example b is .* the problem's example float32\[\]"):
        run_problem(Square(), PARAMS, Wrong(), out=tmp_path / "run")


def test_undescribed_values_and_half_precision_are_stored_in_their_types(tmp_path):
    class Typed(Square):
        def row(self, params, example, key):
            return {
                "square": example**2,
                "half": example.astype(jnp.float16),
                "brain": example.astype(jnp.bfloat16),
                "positive": example > 2,
                "grid": jnp.full((2, 3), example, jnp.uint8),
            }

    run = run_problem(Typed(), PARAMS, Numbers(), out=tmp_path / "run")
    dtypes = {name: column.dtype for name, column in run.columns.items()}
    assert dtypes["half"] == "float16"
    assert dtypes["brain"] == "float32"
    assert dtypes["positive"] == "bool"
    assert run.columns["grid"] == Column(
        "grid", dims=("axis 0", "axis 1"), shape=(2, 3), dtype="uint8"
    )
    assert run.rows["grid"][2].tolist() == [[3] * 3] * 2
    assert run.rows["positive"].tolist() == [False, False, True]
    assert run.rows["half"].dtype == np.float16


def test_large_examples_are_computed_one_by_one_on_the_cpu():
    @dataclass(frozen=True)
    class Large(Square):
        example = jax.ShapeDtypeStruct((2**20 + 1,), np.float32)

    assert micro_batch(Square(), 64) == 8
    assert micro_batch(Large(), 64) == 1


@pytest.mark.parametrize("name", EXAMPLE_RUNS)
def test_a_report_shows_the_columns_of_a_run_without_images(name, tmp_path):
    module = load_example(name)
    names = {"module": module, "params": module.parameters()}
    run = run_problem(*eval(EXAMPLE_RUNS[name], globals() | names), out=tmp_path / name)
    page = report.write([run], tmp_path / "report.html").read_text()
    scalars = [c for c in run.columns.values() if c.title and c.dtype == "float32" and not c.shape]
    for column in scalars:
        assert column.title in page
        assert f"{run.rows[column.name].mean():z.2f}".replace("-", "−") in page
    for row in run.skipped:
        assert row["id"] in page
        assert row["skipped"] in page
    assert "accuracy" not in page[page.index("<main") : page.index("<script")].lower()
