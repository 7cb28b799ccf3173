"""The precision of a sweep: what it changes, what it leaves exact, and that runs do not mix it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

import salix
from salix import models
from salix.adapters import from_nnx
from salix.attribution import CAM
from salix.engine import image_run
from salix.nn import Conv
from salix.precision import active_precision
from salix.preprocess import Preprocess
from salix.typing import InputError


class Net(nnx.Module):
    """Two convolutions, the second with enough channels to be summed as bfloat16 products."""

    def __init__(self, rngs: nnx.Rngs):
        self.first = Conv(3, 16, 3, 2, rngs=rngs)
        self.second = Conv(16, 16, 3, rngs=rngs)
        self.linear = nnx.Linear(16, 2, rngs=rngs)

    def trunk(self, x):
        """Return features on a grid of 8 x 8."""
        return jax.nn.relu(self.second(jax.nn.relu(self.first(x))))

    def head(self, features):
        """Return logits."""
        return self.linear(features.mean((1, 2)))


NET = from_nnx(Net(nnx.Rngs(0)), preprocess=Preprocess((16, 16)), name="net")


def same(a, b):
    """Whether two runs have equal rows to the last bit; an undefined number equals itself."""
    return repr(a.table.to_pylist()) == repr(b.table.to_pylist())


@pytest.mark.slow
def test_float32_is_the_default_and_rows_of_less_are_close_to_it(pictures, tmp_path):
    plain = salix.sweep(*NET, pictures, CAM(), out=tmp_path / "plain")
    exact = salix.sweep(*NET, pictures, CAM(), out=tmp_path / "exact", precision="float32")
    rough = salix.sweep(*NET, pictures, CAM(), out=tmp_path / "rough", precision="bfloat16_dots")
    found = [run.manifest["config"]["precision"] for run in (plain, exact, rough)]
    assert found == ["float32", "float32", "bfloat16_dots"]
    assert same(plain, exact)
    a, b = exact.rows["logits"], rough.rows["logits"]
    assert 1e-5 < np.abs(a - b).max() < 0.01 * np.abs(a).max()
    maps = (run.rows["map"].astype(float) for run in (exact, rough))
    assert 0 < np.abs(np.subtract(*maps)).mean() < 2  # of 255


@pytest.mark.slow
def test_kernels_are_rounded_once_and_not_in_every_pass(pictures, tmp_path, monkeypatch):
    seen = []
    trunk = NET[0].trunk

    def noted(params, x):
        seen.append(params["second"]["kernel"][...].dtype)
        return trunk(params, x)

    model = replace(NET[0], trunk=noted)
    once = salix.sweep(model, NET[1], pictures, out=tmp_path / "once", precision="bfloat16_dots")
    assert set(seen) == {np.dtype("bfloat16")}
    assert NET[1]["second"]["kernel"][...].dtype == np.float32
    monkeypatch.setattr(image_run, "round_kernels", lambda params, precision: params)
    each = salix.sweep(model, NET[1], pictures, out=tmp_path / "each", precision="bfloat16_dots")
    assert seen[-1] == np.float32
    assert same(once, each)


@pytest.mark.slow
def test_a_sweep_is_in_the_precision_that_its_manifest_names(pictures, tmp_path):
    exact = salix.sweep(*NET, pictures, out=tmp_path / "exact")
    with models.precision("bfloat16_dots"), jax.default_matmul_precision("bfloat16"):
        inside = salix.sweep(*NET, pictures, out=tmp_path / "inside")
    assert same(exact, inside)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("policy", "others"),
    [("float32", "highest"), ("tf32", "high"), ("bfloat16", "default")],
)
def test_the_model_is_traced_in_it_and_measures_are_exact(pictures, tmp_path, policy, others):
    seen = {}

    def note(where):
        seen[where] = (active_precision(), jax.config.jax_default_matmul_precision)

    def trunk(params, x):
        note("trunk")
        return jnp.abs(x)

    def head(params, features):
        note("head")
        return features.mean((0, 1))[:2]

    def measure(explain, image, clean, key):
        explain(image)
        note("measure")
        return {}

    model, params = salix.from_function(head, {}, trunk=trunk, preprocess=Preprocess((16, 16)))
    salix.sweep(
        model,
        params,
        pictures,
        CAM(),
        [measure],
        out=tmp_path / "run",
        precision=policy,
        batch_size=8,
    )
    assert seen == {
        "trunk": (policy, others),
        "head": (policy, others),
        "measure": ("float32", "highest"),
    }


@pytest.mark.slow
def test_another_precision_is_refused(pictures, tmp_path):
    out = tmp_path / "run"
    salix.sweep(*NET, pictures, out=out, batch_size=3)
    with pytest.raises(InputError, match="precision: 'float32' there, 'tf32' now"):
        salix.sweep(*NET, pictures, out=out, batch_size=3, precision="tf32")
    assert salix.store.read_runs([out])[0].name == "net"


def test_an_unknown_precision_is_refused_before_any_work(pictures, tmp_path):
    with pytest.raises((InputError, TypeError), match="half"):  # TypeError: where types are checked
        salix.sweep(*NET, pictures, out=tmp_path / "run", precision="half")
    assert not (tmp_path / "run").exists()
