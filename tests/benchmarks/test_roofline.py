"""Ceilings of accelerators against figures by hand."""

import jax
import jax.numpy as jnp
import pytest

from salix import models
from salix.bench.workloads import WORKLOADS
from salix.compiler import Product
from salix.nn import conv_form


def test_a_product_takes_the_longer_of_its_flops_and_its_bytes(scripts, monkeypatch):
    roofline = scripts["roofline"]
    device = roofline.Accelerator({"float32": 1e9, "bfloat16": 4e9}, bandwidth=1e6)
    monkeypatch.setattr(roofline, "ACCELERATORS", {"D": device})
    sixteen = Product(8_000_000_000, 16, True, 1_000_000)  # 2 s by FLOPs, 1 s by bytes
    wide = Product(1_000_000_000, 32, False, 5_000_000)  # 1 s, for it is not in 16 bits, and 5 s
    row = roofline.ceiling([sixteen, wide], 14, "bfloat16")
    assert row["D"]["images_per_second"] == pytest.approx(14 / 7)
    assert row["D"]["memory_share"] == pytest.approx(5 / 7)
    assert row["gflop"] == pytest.approx(9 / 14)
    assert row["megabytes"] == pytest.approx(6 / 14)


def test_saliency_has_twice_the_products_of_a_forward_pass(scripts):
    """The small network's convolutions, each with the gradient of its input but the first."""
    roofline = scripts["roofline"]
    forward, saliency = (
        sum(p.flops for p in roofline.traced_products("small", task, 2, "float32"))
        for task in ("forward", "saliency")
    )
    assert 1.7 * forward < saliency <= 2 * forward


def test_equal_products_are_counted_once(scripts):
    """As a compiler computes them, also where functions or the constants of a loop have them."""
    a, b = jnp.ones((2, 3)), jnp.ones((3, 4))
    product = jax.jit(jnp.dot)

    def program(a, b):
        first = product(a, b) + jnp.dot(a, b)  # one
        body = lambda total, step: (total + step * jnp.dot(a, b), jnp.dot(a + step, b))  # noqa: E731
        total, _ = jax.lax.scan(body, first, jnp.arange(5.0))  # one of the two is new, five times
        return total + product(2 * a, b)  # another

    counted = list(
        scripts["distinct_products"].DistinctProducts().of(jax.make_jaxpr(program)(a, b).jaxpr)
    )
    assert [p.flops // (2 * 2 * 3 * 4) for p in counted] == [1, 5, 1]


@pytest.mark.slow
def test_the_measures_products_are_those_of_their_compiled_program(scripts):
    model, params = models.load("small")
    with conv_form("xla"):  # of accelerators: written-out sums are no products
        compiled = WORKLOADS["paper"].program(model, params, 2)
    counted = scripts["roofline"].traced_products("small", "paper", 2, "float32")
    assert sum(p.flops for p in counted) == pytest.approx(compiled.flops, rel=0.03)


def test_the_section_has_a_row_for_each_ceiling(scripts):
    device = {"peaks": {"bfloat16": 2e12}, "bandwidth": 1e12}
    row = {"network": "resnet50", "task": "ig", "precision": "tf32", "gflop": 1.0}
    row |= {"megabytes": 2.0, "D": {"images_per_second": 1234.0, "memory_share": 0.25}}
    result = {"batch": 4, "devices": {"D": device}, "rows": [row]}
    text = "\n".join(scripts["roofline_page"].roofline_section(result))
    assert "D 2 TFLOP/s in bfloat16 and 1.00 TB/s" in text
    assert "| ResNet-50 | Integrated gradients, 16 steps | tf32 | 1 | 2 | 1230 | 25 |" in text
    assert not list(scripts["roofline_page"].roofline_section(None))
