"""Calls that workers serve: the program of Salix, or the function of a peer library."""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportAttributeAccessIssue=false

import os
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from serving import PreparedCall, serve
from variants import MULTI_PASS_TASKS, SALIX_BUILDS


def salix_call(spec: dict[str, Any], case: Any) -> PreparedCall:
    import jax

    from salix import models
    from salix.bench.policy import missing
    from salix.bench.workloads import WORKLOADS

    build = SALIX_BUILDS[spec["device"]][spec["build"]]
    names = None if spec["weights"] else [str(n) for n in range(1000)]
    fixed = models.MODELS[case.network].fixed
    model, params = models.load(
        case.network,
        spec["weights"] or None,
        classes=None if fixed else names,
        folded=build.folded,
    )
    preprocess = replace(model.preprocess, size=case.images.shape[1:3])
    model = replace(model, preprocess=preprocess)
    if reason := missing(model, params, spec["policy"]):
        raise RuntimeError(reason)
    with models.conv_form(build.form) if build.form else nullcontext():  # pyright: ignore
        program = WORKLOADS[case.task].program(
            model, params, len(case.images), precision=spec["policy"]
        )
    images = jax.device_put(case.images)
    facts = {
        "compile_s": program.compile_seconds,
        "flops": program.flops if np.isfinite(program.flops) else None,
        "passes": program.passes,
    }
    return lambda: program.run(images), jax.block_until_ready, facts


def peer_call(spec: dict[str, Any], case: Any) -> PreparedCall:
    import importlib

    import torch  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    for backend in (torch.backends.cuda.matmul, torch.backends.cudnn):
        backend.allow_tf32 = case.precision == "tf32"
    module = importlib.import_module(f"peers.{spec['module']}")
    call = module.VARIANTS[case.task][spec["build"]](case)

    def wait(result: Any) -> Any:
        if case.device == "cuda":
            torch.cuda.synchronize()
        return result

    return call, wait, {}


def run_worker(spec: dict[str, Any]) -> None:
    """Serve the variant that a worker's specification describes."""
    from peers.case import BenchmarkCase

    arrays = np.load(spec["arrays"])
    precision = spec["precision"] if spec["module"] != "salix" else "float32"
    device = {"cpu": "cpu", "gpu": "cuda"}[spec["device"]]
    case = BenchmarkCase(
        spec["network"],
        spec["task"],
        spec["path"],
        arrays["images"],
        arrays["maps"],
        precision=precision,
        device=device,
    )
    prepare = salix_call if spec["module"] == "salix" else peer_call
    warm = spec["task"] not in MULTI_PASS_TASKS or "compiled" in spec["build"]
    serve(lambda: prepare(spec, case), warm)
