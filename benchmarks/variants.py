"""What is compared: networks, tasks, precisions, and the variants that run them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from surroundings import run_here

NETWORKS = ("resnet50", "densenet121", "inception_v3", "xception", "clip_vit_b16")
TASKS = ("forward", "cam", "gradcam", "saliency", "smoothgrad", "ig", "deletion", "paper")
LONG = TASKS[4:]  # runs of many passes, warm after the first
MODULES = (
    "torch_forms",
    "of_captum",
    "of_pair",
    "of_torchcam",
    "of_gradcam",
    "of_quantus",
    "released",
)
PRECISIONS = {"cpu": ("float32", "bfloat16"), "gpu": ("float32", "tf32", "bfloat16")}
BATCHES = {"cpu": (8,), "gpu": (32, 128)}
# By the name of a precision, the policies of Salix; on a CPU plain bfloat16 is slower than float32.
POLICIES = {
    "cpu": {"float32": ("float32",), "bfloat16": ("bfloat16_dots",)},
    "gpu": {
        "float32": ("float32",),
        "tf32": ("tf32",),
        "bfloat16": ("bfloat16", "bfloat16_dots"),
    },
}


@dataclass(frozen=True)
class Salix:
    """How Salix runs a network; without a `form`, as it does by itself on the device."""

    form: str | None = None
    folded: bool = True


SALIX = {
    "cpu": {
        "salix": Salix(),
        "salix unfolded": Salix(folded=False),
        "salix xla": Salix("xla"),
        "salix default": Salix(),  # with the allocator as it comes
    },
    "gpu": {
        "salix": Salix(),
        "salix unfolded": Salix(folded=False),
        "salix explicit": Salix("explicit"),
    },
}


@dataclass(frozen=True)
class Variant:
    """One way to run a task: the library's form and precision."""

    name: str
    module: str  # "salix", or one of `MODULES`
    precision: str
    policy: str  # the precision by the name that the library has for it

    @property
    def build(self) -> str:
        """The name without the precision."""
        return self.name.removesuffix(f", {self.policy}")


def offered(python: str | None) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return tasks, names and precisions of each module of peers, and why others do not import."""
    if not python:
        return {}, {"peers": "--peers names no Python that has PyTorch: Salix runs alone"}
    code = (
        "import importlib, json\nfound, faults = {}, {}\n"
        f"for name in {MODULES!r}:\n"
        "    try: m = importlib.import_module('peers.' + name)\n"
        "    except Exception as error: faults[name] = f'{type(error).__name__}: {error}'\n"
        "    else: found[name] = {'tasks': {t: list(v) for t, v in m.VARIANTS.items()},\n"
        "        'precisions': getattr(m, 'PRECISIONS', ('float32', 'tf32'))}\n"
        "print(json.dumps([found, faults]))"
    )
    try:
        return tuple(json.loads(run_here(python, code).splitlines()[-1]))
    except (RuntimeError, FileNotFoundError) as error:
        return {}, {"peers": str(error)}


def variants(
    task: str,
    device: str,
    precisions: Sequence[str],
    peers: dict[str, Any],
    patterns: Sequence[str],
    skipped: Sequence[str] = (),
) -> Iterator[Variant]:
    """Yield the variants of a task whose names, `name` or `name, precision`, fit a pattern."""
    for precision in precisions:
        rows = [
            (name, "salix", policy)
            for name in SALIX[device]
            for policy in POLICIES[device].get(precision, ())
            # Of the opt-in precisions the one form that is best on a CPU is enough.
            if name == "salix" or precision == "float32" or device == "gpu"
        ]
        for module, offer in peers.items():
            if precision in offer["precisions"]:
                rows += [(name, module, precision) for name in offer["tasks"].get(task, ())]
        for name, module, policy in rows:
            if name == "torch autocast" and precision != "bfloat16":
                continue
            title = name if policy == "float32" else f"{name}, {policy}"
            if fits(title, patterns) and not fits(title, skipped):
                yield Variant(title, module, precision, policy)


def fits(name: str, patterns: Sequence[str]) -> bool:
    return any(fnmatch(name, pattern) for pattern in patterns)
