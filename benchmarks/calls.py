"""The call of each variant, which a worker serves: that of Salix and those of its peers."""

import os
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import numpy as np
from serving import Made, serve
from variants import LONG, SALIX


def salix_call(spec: dict[str, Any], case: Any) -> Made:
    import jax

    from salix import models
    from salix.bench.policy import missing
    from salix.bench.workloads import WORKLOADS

    how = SALIX[spec["device"]][spec["build"]]
    names = None if spec["weights"] else [str(n) for n in range(1000)]
    fixed = models.MODELS[case.network].fixed
    model, params = models.load(
        case.network,
        spec["weights"] or None,
        classes=None if fixed else names,
        folded=how.folded,
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
