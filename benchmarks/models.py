"""Time the networks of Salix against PyTorch: python benchmarks/models.py [--torch PYTHON].

One process for each variant; each in turn is asked for one call, round after round, so that all of
them meet the same load. Figures are medians of the rounds: images a second of wall time, images a
second of processor time (steadier on a shared machine), seconds to compile, and milliseconds that
the host spends before a call returns. Ratios are medians of those within a round.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rounds import correlation, ratios
from serving import serve
from surroundings import HERE, RETAIN, has, machine, run_here, versions
from workers import ask, end, start

NETWORKS = ("resnet50", "densenet121")
TASKS = ("forward", "saliency")
VARIANTS = {
    "jax": ("explicit", "float32", True),
    "jax unfolded": ("explicit", "float32", False),
    "jax xla": ("xla", "float32", True),
    "jax bfloat16_dots": ("explicit", "bfloat16_dots", True),
    "torch": (False, False),
    "torch, plain allocator": (False, False),
    "torch folded": (True, False),
    "torch compiled": (True, True),
}
BASE = "torch"  # channels last, weights frozen: what ratios are taken to


def images(batch: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, size, size, 3)).astype(np.float32)


def jax_call(variant: str, network: str, task: str, path: str, x: np.ndarray) -> Any:
    import jax
    import jax.numpy as jnp

    from salix import logit, models
    from salix.bench.program import compiled

    form, policy, folded = VARIANTS[variant]
    fixed = models.MODELS[network].fixed
    names = None if path or fixed else [str(n) for n in range(1000)]
    model, params = models.load(network, path or None, classes=names, folded=folded)

    def score(params: Any, image: Any) -> Any:
        return model.score(params, logit(0))(image)

    one = {"forward": model.logits, "saliency": jax.grad(score, argnums=1)}[task]
    function, batch, passes = jax.vmap(one, (None, 0)), jnp.asarray(x), 1 + TASKS.index(task)
    with models.conv_form(form):
        program = compiled(function, params, batch, (), passes, policy)
    return lambda: program.run(batch), jax.block_until_ready


def torch_call(variant: str, network: str, task: str, path: str, x: np.ndarray) -> Any:
    sys.path.insert(0, str(HERE))
    import torch  # pyright: ignore[reportMissingImports]
    from twins import twin

    fold, compile_ = VARIANTS[variant]
    net = twin(network)
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
        held = batch.detach().requires_grad_()
        return torch.autograd.grad(net(held)[:, 0].sum(), held)[0].permute(0, 2, 3, 1)

    return {"forward": forward, "saliency": saliency}[task], lambda result: result


def work(variant: str, network: str, task: str, path: str, batch: int, size: int) -> None:
    make = jax_call if variant.startswith("jax") else torch_call
    serve(lambda: (*make(variant, network, task, path, images(batch, size)), {}))


def measure(
    network: str, task: str, path: str, options: argparse.Namespace, variants: list[str]
) -> dict[str, Any]:
    orders = {}
    for variant in variants:
        python = sys.executable if variant.startswith("jax") else options.torch
        arguments = [variant, network, task, path, str(options.batch), str(options.size)]
        command = [python, str(Path(__file__).resolve()), "--work", *arguments]
        kept = options.retain and "plain allocator" not in variant
        orders[variant] = command, RETAIN if kept else {}
    workers, result = start(orders)
    ask(workers, result, options.rounds)
    end(workers)
    for variant in workers:
        summarise(result, variant, options.batch)
    for held in result.values():
        for key in ("make_s", "first_call_s", "shape", "mean_abs", "sample"):
            held.pop(key, None)
    return result


def summarise(result: dict[str, Any], variant: str, batch: int) -> None:
    held, base = result[variant], result.get(BASE, {})

    def middle(value: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(map(value, held["rounds"]))

    held["img/s"] = batch / middle(lambda r: r["wall"])
    held["img/cpu-s"] = batch / middle(lambda r: r["cpu"])
    held["host ms"] = 1e3 * middle(lambda r: r["host"])
    if "sample" in base:
        held["ratio"] = ratios(base["rounds"], held["rounds"], "wall")["median"]
        held["cpu ratio"] = ratios(base["rounds"], held["rounds"], "cpu")["median"]
        held["correlation"] = correlation(held["sample"], base["sample"])


def table(results: dict[str, Any]) -> str:
    columns = ("img/s", "ratio", "img/cpu-s", "cpu ratio", "first_s", "host ms", "correlation")
    lines = []
    for title, rows in results.items():
        lines += ["", f"| {title} | " + " | ".join(columns) + " |", "|---" * 8 + "|"]
        for variant, held in rows.items():
            if "left out" in held:
                lines.append(f"| {variant} | left out: {held['left out']} |")
                continue
            cells = [f"{held[c]:.4g}" if c in held else "" for c in columns[:-1]]
            cells.append(f"{held['correlation']:.7f}" if "correlation" in held else "")
            lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--retain", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "models-cpu.json")
    options = parser.parse_args()
    torch, variants = has(options.torch, "torch"), options.variants
    if not torch:
        variants = [v for v in variants if v.startswith("jax")]
        print(f"PyTorch is left out: {options.torch} has none", file=sys.stderr)
    results: dict[str, Any] = {}
    before = os.getloadavg()
    with tempfile.TemporaryDirectory() as folder:
        for network in options.networks:
            path = ""
            if torch:
                path = str(Path(folder) / f"{network}.pth")
                run_here(options.torch, f"from twins import save; save({network!r}, {path!r})")
            for task in options.tasks:
                rows = measure(network, task, path, options, variants)
                results[f"{network} {task}"] = rows
                print(table({f"{network} {task}": rows}), flush=True)
    packages = versions(sys.executable, ("jax", "flax"))
    packages |= versions(options.torch, ("torch",)) if torch else {}
    about = machine() | {
        "load before and after": [before, os.getloadavg()],
        "packages": packages,
        "batch": options.batch,
        "size": options.size,
        "allocator keeps memory": options.retain,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        name, network, task, path, batch, size = sys.argv[2:]
        work(name, network, task, path, int(batch), int(size))
    else:
        main()
