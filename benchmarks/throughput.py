"""Time explanations by Salix against those by other libraries, and write what was found.

    python benchmarks/throughput.py --peers PYTHON --minutes 45

For each network, task and size of batch every variant of every precision is a process of its own;
each in turn is asked for one run, round after round. A run explains one batch that lies on the
device already. Raw rounds are written after every task, so that a stop loses nothing and
`--continue` goes on; `benchmarks/page.py` makes a page of them. `--peers` is a Python that has
PyTorch and the other libraries. What cannot run is a row that says why.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from workers import (
    HERE,
    RETAIN,
    Made,
    ask,
    correlation,
    end,
    machine,
    run_here,
    serve,
    start,
    versions,
)

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
PACKAGES = ("torch", "captum", "saliency", "torchcam", "grad-cam", "quantus", "numpy")
BASES = ("torch channels_last", "salix")  # the first that ran is what results are compared with
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
PATIENCE = 1200.0  # seconds until a worker that says nothing is given up


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
    """What one worker is told."""

    name: str
    module: str  # "salix", or one of `MODULES`
    precision: str
    policy: str  # the precision by the name that the library has for it


def salix_call(spec: dict[str, Any], case: Any) -> Made:
    import jax

    from salix import models
    from salix.bench.policy import missing
    from salix.bench.workloads import WORKLOADS

    how = SALIX[spec["device"]][spec["build"]]
    names = None if spec["weights"] else [str(n) for n in range(1000)]
    fixed = models.MODELS[case.network].fixed
    model, params = models.load(
        case.network, spec["weights"] or None, None if fixed else names, folded=how.folded
    )
    sized = replace(model.preprocess, size=case.images.shape[1:3])
    model = replace(model, preprocess=sized)
    if reason := missing(model, params, spec["policy"]):
        raise RuntimeError(reason)
    with models.conv_form(how.form) if how.form else nullcontext():  # pyright: ignore
        program = WORKLOADS[case.task].program(model, params, len(case.images), spec["policy"])
    images = jax.device_put(case.images)
    facts = {
        "compile_s": program.compile_seconds,
        "flops": program.flops if np.isfinite(program.flops) else None,
        "passes": program.passes,
    }
    return lambda: program.run(images), jax.block_until_ready, facts


def peer_call(spec: dict[str, Any], case: Any) -> Made:
    import importlib

    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    for part in (torch.backends.cuda.matmul, torch.backends.cudnn):
        part.allow_tf32 = case.precision == "tf32"
    module = importlib.import_module(f"peers.{spec['module']}")
    call = module.VARIANTS[case.task][spec["build"]](case)

    def wait(result: Any) -> Any:
        if case.device == "cuda":
            torch.cuda.synchronize()
        return result

    return call, wait, {}


def work(spec: dict[str, Any]) -> None:
    """Be the worker of a variant."""
    from peers.case import Case

    arrays = np.load(spec["arrays"])
    precision = spec["precision"] if spec["module"] != "salix" else "float32"
    device = {"cpu": "cpu", "gpu": "cuda"}[spec["device"]]
    case = Case(
        spec["network"],
        spec["task"],
        spec["path"],
        arrays["images"],
        arrays["maps"],
        precision=precision,
        device=device,
    )
    make = salix_call if spec["module"] == "salix" else peer_call
    warm = spec["task"] not in LONG or "compiled" in spec["build"]
    serve(lambda: make(spec, case), warm)


def offered(python: str) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """Return tasks, names and precisions of each module of peers, and why others do not import."""
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
    task: str, device: str, precisions: list[str], peers: dict[str, Any], patterns: list[str]
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
            if any(fnmatch(title, pattern) for pattern in patterns):
                yield Variant(title, module, precision, policy)


def prepare(network: str, batch: int, size: int | None, folder: Path) -> Path:
    """Write the images and the maps of a network's cases, as Salix makes them."""
    from salix.bench.arrays import images
    from salix.bench.workloads import maps
    from salix.model import Model
    from salix.models import MODELS

    to = MODELS[network].preprocess
    to = replace(to, size=(size, size)) if size else to
    model = Model(lambda params, x: x, lambda params, x: x, to)
    path = folder / f"{network}-{batch}.npz"
    np.savez(path, images=images(model, batch), maps=maps(batch, to.size))
    return path


def weigh(network: str, python: str, folder: Path) -> tuple[str, str]:
    """Write a twin's weights; return the file for PyTorch and the one that Salix reads."""
    path = folder / f"{network}.pth"
    run_here(python, f"from twins import save; save({network!r}, {str(path)!r})")
    named = Path(f"{path}.npz")
    if not named.exists():
        return str(path), str(path)
    from salix.models import MODELS
    from salix.models.weights import write

    ours = folder / f"{network}.safetensors"
    manifest = {"architecture": network, "classes": json.dumps(MODELS[network].classes)}
    write(ours, dict(np.load(named)), manifest)
    named.unlink()
    return str(path), str(ours)


def environment(device: str, title: str) -> dict[str, str]:
    """Return what a worker finds around it; variants called "default" keep their allocator."""
    kept = {} if " default" in title else RETAIN
    if device == "cpu":
        return {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "", **kept}
    # Several workers share the memory of the device.
    return {"JAX_PLATFORMS": "cuda,cpu", "XLA_PYTHON_CLIENT_PREALLOCATE": "false", **kept}


def measure(
    network: str, task: str, batch: int, rows: list[Variant], spec: dict[str, Any], options: Any
) -> dict[str, Any]:
    """Return what every variant of a task cost, round by round."""
    shared = spec | {"network": network, "task": task, "device": options.device}
    commands, environments = {}, {}
    for row in rows:
        python = sys.executable if row.module == "salix" else options.peers
        build = row.name.removesuffix(f", {row.policy}")
        told = shared | {"module": row.module, "build": build}
        told |= {"precision": row.precision, "policy": row.policy}
        commands[row.name] = [python, str(HERE / "throughput.py"), "--work", json.dumps(told)]
        environments[row.name] = environment(options.device, row.name)
        environments[row.name]["TORCHINDUCTOR_CACHE_DIR"] = spec["cache"]
    before, began = os.getloadavg(), time.monotonic()
    workers, found = start(commands, environments, PATIENCE)
    until = time.monotonic() + 60 * options.task_minutes
    done = ask(workers, found, options.rounds, until, PATIENCE)
    end(workers)
    base = next((name for name in BASES if "sample" in found.get(name, {})), None)
    for row in rows:
        held = found[row.name]
        held |= {"module": row.module, "precision": row.precision}
        if base and "sample" in held:
            r = correlation(held["sample"], found[base]["sample"])
            held["correlation"] = None if np.isnan(r) else r
    flops = next((h["flops"] for n, h in found.items() if n == "salix" and h.get("flops")), None)
    for held in found.values():
        held.pop("sample", None)
    return {
        "network": network,
        "task": task,
        "batch": batch,
        "flops": flops,
        "rounds": done,
        "base": base,
        "rows": found,
        "load": [before, os.getloadavg()],
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - began, 1),
    }


def ceilings(device: str, precisions: list[str], peers: str | None) -> dict[str, Any]:
    """Return the ceilings of the device, as each side reaches them."""
    from salix.bench.roofline import ACCELERATOR, CPU, STREAM

    policies = [p for kind in precisions for p in POLICIES[device].get(kind, ())]
    shapes = CPU if device == "cpu" else ACCELERATOR
    sides = {
        "salix": (
            sys.executable,
            "import jax, json; from salix.bench.roofline import roofline\n"
            f"r = roofline({policies!r}); kind = jax.devices()[0].device_kind\n"
            "print(json.dumps({'gemm': r.gemm, 'copy': r.copy, 'device': kind}))",
        )
    }
    if peers:
        place = "cpu" if device == "cpu" else "cuda"
        sides["torch"] = (
            peers,
            "import json; from peers.ceilings import ceilings\n"
            f"print(json.dumps(ceilings({shapes!r}, {precisions!r}, {place!r}, {STREAM})))",
        )
    found: dict[str, Any] = {}
    for side, (python, code) in sides.items():
        try:
            said = run_here(python, code, environment(device, side))
            found[side] = json.loads(said.splitlines()[-1])
        except RuntimeError as error:
            found[side] = {"left out": str(error)}
    return found


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--peers", help="a Python that has PyTorch and the other libraries")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    parser.add_argument("--networks", nargs="+", default=NETWORKS, choices=(*NETWORKS, "resnet18"))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--precisions", nargs="+", help="float32, tf32, bfloat16")
    parser.add_argument("--variants", nargs="+", default=["*"], help="patterns of their names")
    parser.add_argument("--skip", nargs="+", default=[], help="patterns of names left out")
    parser.add_argument("--batches", nargs="+", type=int)
    parser.add_argument("--size", type=int, help="of images; by default the network's own")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--minutes", type=float, default=float("inf"), help="for everything")
    parser.add_argument("--task-minutes", type=float, default=float("inf"), help="rounds of a task")
    parser.add_argument("--continue", action="store_true", dest="again", help="keep what was found")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    options.precisions = list(options.precisions or PRECISIONS[options.device])
    options.batches = options.batches or BATCHES[options.device]
    options.out = options.out or HERE / "results" / f"throughput-{options.device}.json"
    return options


def write(path: Path, result: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(result, indent=1) + "\n")
    os.replace(part, path)


def main() -> None:
    options = parsed()
    os.environ["JAX_PLATFORMS"] = "cpu"  # of this process, which only prepares
    began = time.monotonic()
    peers, faults = offered(options.peers) if options.peers else ({}, {})
    if not options.peers:
        faults = {"peers": "--peers names no Python that has PyTorch: Salix runs alone"}
    for module, fault in faults.items():
        print(f"left out: {module}: {fault}", file=sys.stderr, flush=True)
    torch = "torch_forms" in peers
    result: dict[str, Any] = {"groups": {}}
    if options.again and options.out.exists():
        result = json.loads(options.out.read_text())
    result["about"] = machine() | {
        "device": options.device,
        "packages": versions(sys.executable, ("jax", "flax", "salix"))
        | (versions(options.peers, PACKAGES) if torch else {}),
        "left out": faults,
    }
    limits = ceilings(options.device, options.precisions, options.peers if torch else None)
    if options.device == "gpu":
        result["about"]["accelerator"] = limits["salix"].get("device")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for network in options.networks:
            weights = ("", "")
            for batch in options.batches:
                arrays = prepare(network, batch, options.size, folder)
                for task in options.tasks:
                    key = f"{network} {task} {batch}" + (f" {options.size}" if options.size else "")
                    chosen = [
                        v
                        for v in variants(
                            task, options.device, options.precisions, peers, options.variants
                        )
                        if not any(fnmatch(v.name, pattern) for pattern in options.skip)
                    ]
                    had = result["groups"].get(key, {}).get("rows", {})
                    if options.again and all(v.name in had for v in chosen):
                        continue
                    if time.monotonic() - began > 60 * options.minutes:
                        said = f"the {options.minutes:g} minutes were spent"
                        result["groups"].setdefault(key, {"left out": said})
                        print(f"{key}: left out: {said}", flush=True)
                        write(options.out, result)
                        continue
                    if torch and not weights[0]:
                        weights = weigh(network, options.peers, folder)
                    spec = {
                        "path": weights[0],
                        "weights": weights[1],
                        "arrays": str(arrays),
                        "cache": str(folder / "inductor"),
                    }
                    found = measure(network, task, batch, chosen, spec, options)
                    found |= {"size": options.size, "ceilings": limits}
                    result["groups"][key] = found
                    write(options.out, result)
                    told(key, found)
            for path in folder.glob(f"{network}*"):
                path.unlink()


def told(key: str, group: dict[str, Any]) -> None:
    """Print the medians of a task."""
    print(f"{key}: {group['rounds']} rounds, {group['seconds']} s", flush=True)
    for name, held in group["rows"].items():
        if "left out" in held:
            print(f"  {name}: left out: {held['left out']}", flush=True)
            continue
        wall, cpu = (np.median([r[k] for r in held["rounds"]]) for k in ("wall", "cpu"))
        rate = f"{group['batch'] / wall:.4g} img/s, {group['batch'] / cpu:.4g} img/cpu-s"
        print(f"  {name}: {rate}, correlation {held.get('correlation')}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(json.loads(sys.argv[2]))
    else:
        main()
