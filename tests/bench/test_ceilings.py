"""Measured ceilings of a device: shapes, rates and the counted products."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from salix.bench import ceilings
from salix.bench.ceilings import DOTS, best, operands, product, roofline
from salix.engine.flops import count_flops
from salix.models import conv_form
from salix.nn.conv import conv
from salix.precision import LAX_PRECISION, precision
from salix.typing import InputError

FEW = {"seconds": 0.0, "shapes": [(32, 16, 24), (8, 8, 8)], "stream": 2**16}
on_cpu = pytest.mark.skipif(jax.default_backend() != "cpu", reason="of the CPU")


def test_ceilings_are_positive_and_of_the_shapes_that_were_tried():
    measured = roofline(precisions=("float32", "bfloat16_dots"), **FEW)
    assert set(measured.gemm) == set(measured.shapes) == {"float32", "bfloat16_dots"}
    assert all(np.isfinite(v) and v > 0 for v in (*measured.gemm.values(), measured.copy))
    assert set(measured.shapes.values()) <= set(FEW["shapes"])


def test_rates_are_operations_and_bytes_over_the_time(monkeypatch):
    times = {(32, 24): 1e-6, (8, 8): 1e-9, (2**14,): 1e-3}  # by the shape of the buffer

    def best(program, buffer, *rest, seconds):
        return times[buffer.shape]

    monkeypatch.setattr(ceilings, "best", best)
    measured = roofline(**FEW)
    assert measured.gemm["float32"] == pytest.approx(2 * 8**3 / 1e-9)
    assert measured.shapes == {"float32": (8, 8, 8)}
    assert measured.copy == pytest.approx(2 * 2**16 / 1e-3)


def test_percent_and_ridge():
    measured = roofline(**FEW)
    ceiling = measured.gemm["float32"]
    assert measured.percent(ceiling / 4, "float32") == pytest.approx(25)
    assert measured.ridge("float32") == pytest.approx(ceiling / measured.copy)
    assert np.isnan(measured.percent(1.0, "bfloat16"))
    assert np.isnan(measured.ridge("bfloat16"))


@on_cpu
def test_no_tf32_on_the_cpu():
    assert set(roofline(precisions=("tf32", "float32"), **FEW).gemm) == {"float32"}
    assert roofline(precisions=("tf32",), **FEW).gemm == {}


def test_an_unknown_precision_is_refused():
    with pytest.raises(InputError, match="'float8' is none of float32, tf32"):
        roofline(precisions=("float8",), **FEW)


@on_cpu
@pytest.mark.parametrize("policy", DOTS)
def test_a_product_is_counted_and_multiplied_in_full(policy):
    m, k, n = 24, 16, 40
    a, b = operands((m, k, n))
    program, buffer, left, right = product(a, b, policy)
    text = program.as_text()
    assert count_flops(text).products == 2 * m * k * n
    assert "input_output_alias={ {}: (0" in text  # the result takes the buffer that is given
    expected = np.asarray(left, np.float64) @ np.asarray(right, np.float64)
    measured = np.asarray(program(buffer, left, right), np.float64)
    tolerance = 0.05 if policy == "bfloat16" else 1e-4  # of the rounded result
    np.testing.assert_allclose(measured, expected, atol=tolerance * np.abs(expected).max())


@pytest.mark.parametrize("policy", DOTS)
def test_products_are_those_of_the_convolutions(policy):
    x, kernel = jnp.ones((1, 4, 4, 16), jnp.float32), jnp.ones((1, 1, 16, 8), jnp.float32)
    with conv_form("explicit"), precision(policy):
        (outer,) = jax.make_jaxpr(conv)(x, kernel).eqns
    inner = outer.params["call_jaxpr"].eqns
    (dot,) = [e for e in inner if e.primitive.name == "dot_general"]
    operand, result = DOTS[policy]
    assert {v.aval.dtype for v in dot.invars} == {jnp.dtype(operand)}
    assert dot.params["precision"] == (LAX_PRECISION[policy], LAX_PRECISION[policy])
    assert dot.params["preferred_element_type"] == result


def test_runs_are_chained_and_timed_until_they_end():
    runs = []

    def program(buffer, step):
        runs.append(buffer)
        return buffer + step

    assert 0 < best(program, jnp.zeros(()), jnp.ones(()), seconds=0.0) < 60
    assert [float(buffer) for buffer in runs] == list(range(len(runs)))
    assert len(runs) >= 2  # one that is not timed
