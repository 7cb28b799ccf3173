"""Lowering of every workload for accelerators, without one, and the types of its products."""

import re
from dataclasses import replace

import jax
import pytest

from salix.bench import WORKLOADS
from salix.bench.arrays import abstract
from salix.bench.workloads import maps
from salix.models import conv_form
from salix.nn import round_kernels
from salix.precision import computed_in

BATCH = 2
CONVOLUTION = r"stablehlo\.convolution.*: \(tensor<[0-9x]*x(\w+)>, tensor<[0-9x]*x(\w+)>\)"


def lowered(net, workload, policy, platform):
    """Return the StableHLO text of a workload for a platform."""
    model, params = net
    # The study's shift of 22 pixels needs images larger than those that other tests run.
    model = replace(model, preprocess=replace(model.preprocess, size=(64, 64)))
    params = round_kernels(params, policy)
    _, image = abstract(model, params)
    images = jax.ShapeDtypeStruct((BATCH, *image.shape), image.dtype)
    keys = jax.random.split(jax.random.key(0), BATCH)
    with conv_form("xla"), computed_in(policy):
        function = jax.jit(WORKLOADS[workload].function(model, BATCH, policy))
        traced = function.trace(params, images, keys, maps(BATCH, model.preprocess.size))
        return traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["cuda", "tpu"])
@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_task_lowers_and_never_calls_the_host(net, workload, platform):
    text = lowered(net, workload, "float32", platform)
    assert re.search(CONVOLUTION, text)
    assert "callback" not in text
    assert "f64" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "bits", "precision"),
    [("float32", "f32", "HIGHEST"), ("tf32", "f32", "HIGH"), ("bfloat16", "bf16", "DEFAULT")],
)
@pytest.mark.parametrize("workload", ["saliency", "paper"])
def test_convolutions_have_the_types_of_a_policy(net, workload, policy, bits, precision):
    text = lowered(net, workload, policy, "cuda")
    convolutions = [line for line in text.splitlines() if "stablehlo.convolution" in line]
    assert len(convolutions) >= 2
    for line in convolutions:
        assert re.search(CONVOLUTION, line).groups() == (bits, bits)
        assert re.findall(r"precision ([A-Z]+)", line) == [precision] * 2
