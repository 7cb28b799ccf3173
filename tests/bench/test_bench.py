"""Benchmark rows: consistency, completeness and reasons of failures. No time is asserted."""

import json
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.attribution import Gradient
from salix.bench import Roofline, bench, check, run, save, show
from salix.bench.arrays import images
from salix.bench.table import standing
from salix.bench.timing import checksum, spread
from salix.scores import logit
from salix.typing import InputError

CEILINGS = Roofline({"float32": 2e9, "bfloat16_dots": 4e9}, 1e9, {"float32": (8, 8, 8)})
SPREADS = {"wall_seconds", "cpu_seconds", "host_seconds", "images_per_second"}
on_cpu = pytest.mark.skipif(
    jax.default_backend() != "cpu", reason="libraries hide their FLOPs there"
)


@pytest.fixture(scope="module")
def rows(net):
    """Rows of the network, one workload of which is unknown."""
    names = ("forward", "saliency", "occlusion")
    return bench(
        *net,
        workloads=names,
        precisions=("float32", "bfloat16_dots"),
        batch_sizes=(2, 3),
        rounds=3,
        ceilings=CEILINGS,
    )


def of(rows, **want):
    """Return the row with these values."""
    (row,) = (row for row in rows if all(row[name] == value for name, value in want.items()))
    return row


def test_a_row_for_each_case(rows):
    cases = {(row["workload"], row["precision"], row["batch_size"]) for row in rows}
    assert len(cases) == len(rows) == 3 * 2 * 2
    for row in rows:
        assert {"device", "salix", "jax", "python", "cores", "model", "image"} <= set(row)
        assert row["image"] == [16, 16, 3]
        assert ("left_out" in row) == (row["workload"] == "occlusion")


@on_cpu
def test_numbers_of_a_row_agree(rows):
    for row in (row for row in rows if "left_out" not in row):
        wall, rate = row["wall_seconds"], row["images_per_second"]
        assert all(row[n]["low"] <= row[n]["median"] <= row[n]["high"] for n in SPREADS)
        assert row["host_seconds"]["median"] <= wall["median"]
        for ours, theirs in (("median", "median"), ("low", "high"), ("high", "low")):
            assert rate[ours] * wall[theirs] == pytest.approx(row["batch_size"])
        assert row["rounds"] == 3
        assert row["passes"] == {"forward": 1, "saliency": 2}[row["workload"]]
        assert row["passes_per_second"] == pytest.approx(row["passes"] * rate["median"])
        assert row["flops_per_second"] == pytest.approx(row["flops"] / wall["median"])
        assert row["gemm_flops_per_second"] == CEILINGS.gemm[row["precision"]]
        assert row["copy_bytes_per_second"] == 1e9
        share = row["flops_per_second"] / row["gemm_flops_per_second"]
        assert row["percent_of_gemm"] == pytest.approx(100 * share)
        assert (row["rounded"] > 0) == (row["precision"] != "float32")
    one, two = (of(rows, workload="forward", precision="float32", batch_size=b) for b in (2, 3))
    assert two["flops"] == 1.5 * one["flops"]


def test_the_result_is_summed_up_beside_its_time(net, rows):
    model, params = net
    x, key = images(model, 2), jax.random.key(0)
    one = Gradient()
    expected = jax.jit(jax.vmap(lambda i: one(model.score(params, logit(0)), i, key)))(x)
    row = of(rows, workload="saliency", precision="float32", batch_size=2)
    assert row["mean"] == pytest.approx(float(expected.mean()), rel=1e-3)
    assert row["std"] == pytest.approx(float(expected.std()), rel=1e-3)
    assert row["undefined"] == 0


def test_what_is_unknown_or_lacking_is_left_out_and_the_rest_runs(bare):
    names, policies = ("cam", "forward"), ("float32", "bfloat16", "half")
    rows = bench(
        *bare,
        workloads=names,
        precisions=policies,
        batch_sizes=(2,),
        rounds=1,
        ceilings=CEILINGS,
    )
    assert "bare has no trunk" in of(rows, workload="cam", precision="float32")["left_out"]
    assert "images_per_second" in of(rows, workload="forward", precision="float32")
    for workload in ("cam", "forward"):
        row = of(rows, workload=workload, precision="bfloat16")
        assert "salix.nn.layers.Conv" in row["left_out"]
        row = of(rows, workload=workload, precision="half")
        assert row["left_out"].startswith("no precision 'half': there are float32, tf32")


def test_an_unknown_workload_names_those_there_are(rows):
    reason = of(rows, workload="occlusion", precision="float32", batch_size=2)["left_out"]
    assert reason.startswith("no workload 'occlusion': there are forward, cam,")
    with pytest.raises(InputError, match="no workload 'occlusion': there are forward, cam"):
        check(workloads=["cam", "occlusion"])
    with pytest.raises(InputError, match="no precision 'half': there are float32, tf32"):
        check(workloads=["cam"], precisions=["half"])


def test_a_model_that_fails_is_left_out_with_what_it_says(net):
    model, params = net

    def refuse(params, features):
        raise RuntimeError("no head\nfor this")

    (row,) = bench(replace(model, head=refuse), params, workloads=("forward",), ceilings=CEILINGS)
    assert row["left_out"] == "RuntimeError: no head"


def test_a_run_that_fails_in_a_round_ends_its_row_alone(bare, monkeypatch):
    add = run.Costs.add

    def full(costs, call, images):
        if len(images) > 2:
            raise MemoryError
        add(costs, call, images)

    monkeypatch.setattr(run.Costs, "add", full)
    first, second = bench(
        *bare, workloads=("forward",), batch_sizes=(2, 3), rounds=2, ceilings=CEILINGS
    )
    assert first["rounds"] == 2
    assert second["left_out"] == "MemoryError: no message"


@pytest.mark.parametrize("change", [{"rounds": 0}, {"batch_sizes": (4, 0)}])
def test_nothing_to_do_is_refused(net, change):
    with pytest.raises(InputError, match="give 1 or more"):
        bench(*net, workloads=("forward",), **change)


def test_rows_are_json(rows, tmp_path):
    file = tmp_path / "new" / "bench.json"
    save(file, rows, CEILINGS)
    results = json.loads(file.read_text())
    assert results["rows"] == rows
    assert results["roofline"]["gemm"] == CEILINGS.gemm
    assert results["roofline"]["shapes"] == {"float32": [8, 8, 8]}


@on_cpu
def test_the_table_says_where_the_model_stands(rows, capsys):
    show(rows, CEILINGS)
    text = capsys.readouterr().out
    head, _, *body = text.splitlines()
    assert head.startswith("net, images of 16x16x3, on ")
    shown = of(rows, workload="forward", precision="float32", batch_size=2)
    (line,) = (b for b in body if b.split()[:3] == ["forward", "float32", "2"])
    assert f"{shown['images_per_second']['median']:.4g}" in line
    assert f"{shown['percent_of_gemm']:.0f} %" in line
    assert "float32: matrix products reach 2 GFLOP/s here, 2 FLOP a byte" in text
    assert "a long stream is read and written at 1 GB/s" in text
    ran = [r for r in rows if r["precision"] == "float32" and "left_out" not in r]
    for pick in (min, max):
        end = pick(ran, key=lambda r: r["percent_of_gemm"])
        assert f"{end['percent_of_gemm']:.0f} % ({end['workload']}, batch of" in text
    assert text.count("left out: ") == 1
    assert "occlusion float32 2, occlusion bfloat16_dots 2, occlusion float32 3" in text
    assert "% of the products of a forward pass have operands of 16 bits" in text


def test_what_is_not_known_is_a_dash(rows, capsys):
    row = dict(of(rows, workload="forward", precision="float32", batch_size=2))
    row |= {"flops": None, "flops_per_second": None, "percent_of_gemm": None, "mean": None}
    show([row], CEILINGS)
    line = capsys.readouterr().out.splitlines()[2]
    assert line.count("–") == 3 + 1  # one between the quartiles
    assert len(standing([row], CEILINGS)) == 3
    show([], CEILINGS)
    assert "memory: " in capsys.readouterr().out


def test_spread_and_checksum():
    values = [5.0, 1.0, 4.0, 2.0, 3.0]
    assert spread(values) == {"median": 3.0, "low": 2.0, "high": 4.0}
    sums = checksum({"a": np.array([1.0, np.nan]), "b": (jnp.array([[3, 5]], jnp.uint8),)})
    assert sums == {"mean": 3.0, "std": pytest.approx(np.sqrt(8 / 3)), "undefined": 1}
    assert checksum([np.array([np.inf])]) == {"mean": None, "std": None, "undefined": 1}
