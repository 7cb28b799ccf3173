"""Times of the networks of Salix against PyTorch: python benchmarks models [--torch PYTHON].

Each variant has its own process; every round runs each of them once, so that all meet the same
load. Figures are medians over rounds: images per second of wall time, images per second of
processor time (steadier on a shared machine), seconds to compile, and milliseconds of the host
before a call returns. Ratios are medians of those within a round.
"""
# The types of PyTorch, where it is installed, are wider than the values here.
# pyright: reportCallIssue=false

import argparse
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from machine import HERE, RETAIN_MEMORY, run_code
from rounds import correlation, round_ratios
from serving import serve
from torch_comparison import (
    add_options,
    markdown_table,
    peer_variants,
    remove_samples,
    write_results,
)
from workers import run_rounds, start_workers, stop_workers

NETWORKS = ("resnet50", "densenet121")
TASKS = ("forward", "saliency")
JAX_VARIANTS: dict[str, Any] = {  # convolution form, precision, folded
    "jax": ("explicit", "float32", True),
    "jax unfolded": ("explicit", "float32", False),
    "jax xla": ("xla", "float32", True),
    "jax bfloat16_dots": ("explicit", "bfloat16_dots", True),
}
TORCH_VARIANTS = {  # folded, compiled
    "torch": (False, False),
    "torch, plain allocator": (False, False),
    "torch folded": (True, False),
    "torch compiled": (True, True),
}
COLUMNS: dict[str, str] = {
    **dict.fromkeys(("img/s", "ratio", "img/cpu-s", "cpu ratio", "first_s", "host ms"), ".4g"),
    "correlation": ".7f",
}
BASE = "torch"  # channels last, frozen weights: the reference of ratios


def random_images(batch: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, size, size, 3)).astype(np.float32)


def jax_call(variant: str, network: str, task: str, path: str, x: np.ndarray) -> Any:
    import jax
    import jax.numpy as jnp

    from salix import logit, models
    from salix.bench.program import compiled

    form, policy, folded = JAX_VARIANTS[variant]
    names = None if path or models.MODELS[network].fixed else [str(n) for n in range(1000)]
    model, params = models.load(network, path or None, classes=names, folded=folded)

    def score(params: Any, image: Any) -> Any:
        return model.score(params, logit(0))(image)

    one_image = {"forward": model.logits, "saliency": jax.grad(score, argnums=1)}[task]
    function, batch, passes = jax.vmap(one_image, (None, 0)), jnp.asarray(x), 1 + TASKS.index(task)
    with models.conv_form(form):
        program = compiled(function, params, batch, (), passes, policy)
    return lambda: program.run(batch), jax.block_until_ready


def torch_call(variant: str, network: str, task: str, path: str, x: np.ndarray) -> Any:
    import torch  # pyright: ignore[reportMissingImports]
    from torch_networks import torch_network

    fold, compile_ = TORCH_VARIANTS[variant]
    net = torch_network(network)
    net.load_state_dict(torch.load(path, weights_only=True))
    if fold:
        from torch.fx.experimental.optimization import fuse  # pyright: ignore[reportMissingImports]

        net = fuse(net)
    net = net.requires_grad_(False).to(memory_format=torch.channels_last)
    net = torch.compile(net) if compile_ else net
    batch = torch.from_numpy(x).permute(0, 3, 1, 2)  # channels last already

    def forward() -> Any:
        with torch.inference_mode():
            return net(batch)

    def saliency() -> Any:
        images = batch.detach().requires_grad_()
        return torch.autograd.grad(net(images)[:, 0].sum(), images)[0].permute(0, 2, 3, 1)

    return {"forward": forward, "saliency": saliency}[task], lambda result: result


def run_worker(variant: str, network: str, task: str, path: str, batch: int, size: int) -> None:
    prepare = jax_call if variant in JAX_VARIANTS else torch_call
    images = random_images(batch, size)
    serve(lambda: (*prepare(variant, network, task, path, images), {}))


def measure(
    network: str, task: str, path: str, options: argparse.Namespace, variants: list[str]
) -> dict[str, Any]:
    commands = {}
    for variant in variants:
        python = sys.executable if variant in JAX_VARIANTS else options.torch
        arguments = [variant, network, task, path, str(options.batch), str(options.size)]
        command = [python, str(Path(__file__).resolve()), "--work", *arguments]
        retain = options.retain and "plain allocator" not in variant
        commands[variant] = command, RETAIN_MEMORY if retain else {}
    workers, rows = start_workers(commands)
    run_rounds(workers, rows, options.rounds)
    stop_workers(workers)
    for variant in workers:
        summarise(rows, variant, options.batch)
    remove_samples(rows)
    return rows


def summarise(rows: dict[str, Any], variant: str, batch: int) -> None:
    """Add rates, ratios and correlation to the row of a variant."""
    row, base = rows[variant], rows.get(BASE, {})

    def median(value: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(map(value, row["rounds"]))

    row["img/s"] = batch / median(lambda r: r["wall"])
    row["img/cpu-s"] = batch / median(lambda r: r["cpu"])
    row["host ms"] = 1e3 * median(lambda r: r["host"])
    if "sample" in base:
        row["ratio"] = round_ratios(base["rounds"], row["rounds"], "wall")["median"]
        row["cpu ratio"] = round_ratios(base["rounds"], row["rounds"], "cpu")["median"]
        row["correlation"] = correlation(row["sample"], base["sample"])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    variants = (*JAX_VARIANTS, *TORCH_VARIANTS)
    add_options(parser, variants, TASKS, rounds=5, out=HERE / "results" / "models-cpu.json")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--retain", action=argparse.BooleanOptionalAction, default=True)
    options = parser.parse_args()
    selected, torch = peer_variants(options)
    load = os.getloadavg()
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for network in options.networks:
            path = str(Path(folder) / f"{network}.pth") if torch else ""
            if torch:
                code = (
                    f"from torch_networks import save_weights; save_weights({network!r}, {path!r})"
                )
                run_code(options.torch, code)
            for task in options.tasks:
                rows = measure(network, task, path, options, selected)
                results[f"{network} {task}"] = rows
                print("\n" + markdown_table(f"{network} {task}", rows, COLUMNS), flush=True)
    facts = {
        "batch": options.batch,
        "size": options.size,
        "allocator keeps memory": options.retain,
    }
    write_results(options, results, load, ("jax", "flax"), torch, facts)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        variant, network, task, path, batch, size = sys.argv[2:]
        run_worker(variant, network, task, path, int(batch), int(size))
    else:
        main()
