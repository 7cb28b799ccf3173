"""Host calls from compiled programs: on one core, between devices, and in batches."""

import os
import subprocess
import sys

import jax
import numpy as np
import pytest

from salix.perturb.host import call_on_host


def channel_sum(x):
    return x.sum(-1)


def call(x):
    return call_on_host(channel_sum, jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), x)


def test_the_result_is_that_of_the_function_in_any_batch():
    x = np.random.default_rng(0).normal(size=(3, 2, 5, 4)).astype(np.float32)
    for f in (call, jax.jit(call), jax.vmap(call), jax.jit(jax.vmap(jax.vmap(call)))):
        np.testing.assert_array_equal(f(x), channel_sum(x))


PROGRAM = """
import jax, numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from salix.perturb.host import call_on_host
total = lambda x: x.sum(-1)
call = lambda x: call_on_host(total, jax.ShapeDtypeStruct(x.shape[:-1], x.dtype), x)
x = np.ones((4, 512, 512, 3), np.float32)  # large enough to be copied by the thread pool
split = NamedSharding(Mesh(jax.devices(), "batch"), PartitionSpec("batch"))
out = jax.jit(jax.vmap(call), in_shardings=split)(jax.device_put(x, split))
print(len(jax.devices()), (np.asarray(out) == 3).all())
"""


@pytest.mark.slow
@pytest.mark.parametrize("devices", [1, 2])
def test_one_core_and_two_devices_do_not_wait_for_ever(devices):
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
    }
    pin = f"import os; os.sched_setaffinity(0, {{{min(os.sched_getaffinity(0))}}})\n"
    command = [sys.executable, "-c", pin + PROGRAM]
    options = {"env": environment, "capture_output": True, "text": True, "timeout": 300}
    ran = subprocess.run(command, check=True, **options)
    assert ran.stdout.split() == [str(devices), "True"]
