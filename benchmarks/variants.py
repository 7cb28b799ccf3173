"""Networks, tasks and precisions of the benchmark, and selection of the variants that run."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from machine import run_code

NETWORKS = (
    "resnet50",
    "densenet121",
    "inception_v3",
    "xception",
    "clip_vit_b16",
    "efficientnet_b0",
    "nsfwjs_mobilenet_v2",
    "meso4",
)
TASKS = ("forward", "cam", "gradcam", "saliency", "smoothgrad", "ig", "deletion", "paper")
MULTI_PASS_TASKS = TASKS[4:]  # many passes a run: warm after the first run
PEER_MODULES = (
    "torch_calls",
    "captum_calls",
    "saliency_calls",
    "torchcam_calls",
    "gradcam_calls",
    "quantus_calls",
    "released_calls",
)
PRECISIONS = {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "tf32", "bfloat16")}
BATCHES = {"cpu": (8,), "gpu": (32, 128)}
# Precision policies of Salix by precision; on a CPU plain bfloat16 is slower than float32.
POLICIES = {
    "cpu": {"float32": ("float32",), "bfloat16": ("bfloat16_dots",)},
    "gpu": {
        "float32": ("float32",),
        "tf32": ("tf32",),
        "bfloat16": ("bfloat16", "bfloat16_dots"),
    },
}


@dataclass(frozen=True)
class SalixBuild:
    """Convolution form and folding of a network in Salix; `form` None is the device's default."""

    form: str | None = None
    folded: bool = True


SALIX_BUILDS = {
    "cpu": {
        "salix": SalixBuild(),
        "salix unfolded": SalixBuild(folded=False),
        "salix xla": SalixBuild("xla"),
        "salix default": SalixBuild(),  # with the default allocator
    },
    "gpu": {
        "salix": SalixBuild(),
        "salix unfolded": SalixBuild(folded=False),
        "salix explicit": SalixBuild("explicit"),
    },
}


@dataclass(frozen=True)
class Variant:
    """One way to run a task: a library, its form and precision."""

    name: str
    module: str  # "salix", or one of `MODULES`
    precision: str
    policy: str  # the library's own name of the precision

    @property
    def build(self) -> str:
        """The name without the precision."""
        return self.name.removesuffix(f", {self.policy}")


def available_peers(python: str | None) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Tasks, variants and precisions of each peer module; import errors of the others."""
    if not python:
        return {}, {"peers": "--peers is not given: name a Python that has PyTorch"}
    code = (
        "import importlib, json\npeers, errors = {}, {}\n"
        f"for name in {PEER_MODULES!r}:\n"
        "    try: m = importlib.import_module('peers.' + name)\n"
        "    except Exception as error: errors[name] = f'{type(error).__name__}: {error}'\n"
        "    else: peers[name] = {'tasks': {t: list(v) for t, v in m.VARIANTS.items()},\n"
        "        'precisions': getattr(m, 'PRECISIONS', ('float32', 'tf32'))}\n"
        "print(json.dumps([peers, errors]))"
    )
    try:
        return tuple(json.loads(run_code(python, code).splitlines()[-1]))
    except (RuntimeError, FileNotFoundError) as error:
        return {}, {"peers": str(error)}


def select_variants(
    task: str,
    device: str,
    precisions: Sequence[str],
    peers: dict[str, Any],
    patterns: Sequence[str],
    skip: Sequence[str] = (),
) -> Iterator[Variant]:
    """Yield the variants of a task whose names, `name` or `name, policy`, match a pattern."""
    for precision in precisions:
        rows = [
            (name, "salix", policy)
            for name in SALIX_BUILDS[device]
            for policy in POLICIES[device].get(precision, ())
            # On a CPU the opt-in precisions are measured in the best form only.
            if name == "salix" or precision == "float32" or device == "gpu"
        ]
        for module, peer in peers.items():
            if precision in peer["precisions"]:
                rows += [(name, module, precision) for name in peer["tasks"].get(task, ())]
        for name, module, policy in rows:
            if name == "torch autocast" and precision != "bfloat16":
                continue
            title = name if policy == "float32" else f"{name}, {policy}"
            if matches(title, patterns) and not matches(title, skip):
                yield Variant(title, module, precision, policy)


def matches(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
