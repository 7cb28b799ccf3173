"""Memory of the faithfulness metrics: steps, samples and segments are scanned, not stacked."""

from functools import partial

import jax
import numpy as np
import pytest

from salix.metrics import METRICS
from salix.perturb.partition import Grid, Patches
from tests.attribution.passes import temporary_bytes

IMAGE = np.random.default_rng(0).uniform(size=(24, 24, 3)).astype(np.float32)
FEW, MANY = Grid(2), Patches(1)
CASES = {
    "deletion": [{"fractions": (0, 1)}, {"preset": "rise"}],
    "insertion": [{"fractions": (0, 1)}, {"preset": "rise"}],
    "aopc": [{"partition": FEW}, {"partition": MANY, "steps": 500}],
    "morf": [{"partition": FEW}, {"partition": MANY, "steps": 500}],
    "lerf": [{"partition": FEW}, {"partition": MANY, "steps": 500}],
    "abpc": [{"partition": FEW}, {"partition": MANY, "steps": 500}],
    "selectivity": [{"partition": FEW}, {"partition": MANY}],
    "irof": [{"partition": FEW}, {"partition": MANY}],
    "road": [{"fractions": (0.1, 0.9)}, {"preset": "quantus"}],
    "sensitivity_n": [{"samples": 2}, {"samples": 80}],
    "faithfulness_correlation": [{"samples": 2}, {"samples": 500}],
    "mu_fidelity": [{"samples": 2}, {"samples": 500}],
    "faithfulness_estimate": [{"partition": FEW}, {"partition": MANY}],
    "monotonicity": [{"partition": FEW}, {"partition": MANY}],
    "monotonicity_correlation": [{"samples": 1}, {"samples": 12}],
    "infidelity": [{"samples": 2}, {"samples": 500}],
}


def array_sizes(jaxpr):
    """Yield the number of elements of every array that a program computes."""
    for equation in jaxpr.eqns:
        yield from (v.aval.size for v in equation.outvars)
        for parameter in jax.tree.leaves(equation.params, is_leaf=lambda p: hasattr(p, "eqns")):
            inner = getattr(parameter, "jaxpr", parameter)
            if hasattr(inner, "eqns"):
                yield from array_sizes(inner)


@pytest.mark.parametrize("name", CASES)
def test_no_array_grows_with_steps_samples_or_segments(name):
    def largest(options):
        metric = partial(METRICS[name].function, lambda x: x.sum(), **options)
        program = jax.make_jaxpr(metric)(IMAGE, IMAGE[..., 0], jax.random.key(0))
        return max(array_sizes(program.jaxpr)), len(str(program))

    (few, text), (many, longer) = map(largest, CASES[name])
    assert few >= IMAGE.size
    assert many == few
    assert longer < 1.2 * text


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_memory_of_the_compiled_program_is_flat(name):
    def measure(options):
        metric = partial(METRICS[name].function, lambda x: x.sum(), **options)
        cost = METRICS[name].passes(options, IMAGE.shape).evaluations
        return cost, temporary_bytes(metric, IMAGE, IMAGE[..., 0], jax.random.key(0))

    (passes, bytes_), (more, many) = map(measure, CASES[name])
    assert more > passes
    # A pass may leave a few numbers, much less than an image of 6,912 bytes.
    assert many < 1.05 * bytes_ + 64 * (more - passes)
