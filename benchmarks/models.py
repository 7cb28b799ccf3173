"""Time the networks of Salix against PyTorch: python benchmarks/models.py [--torch PYTHON].

One process for each variant; each in turn is asked for one call, round after round, so that all of
them meet the same load. Figures are medians of the rounds: images a second of wall time, images a
second of processor time (steadier on a shared machine), seconds to compile, and milliseconds that
the host spends before a call returns. Ratios are medians of those within a round.
"""

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent
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
# glibc otherwise gives every large buffer back, and asks for it again in the next call.
RETAIN = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    "MALLOC_TOP_PAD_": "268435456",
    "MALLOC_ARENA_MAX": "1",
}


def images(batch: int, size: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(batch, size, size, 3)).astype(np.float32)


def spent() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def jax_call(variant: str, network: str, task: str, path: str, x: np.ndarray) -> Any:
    import jax
    import jax.numpy as jnp

    from salix import logit, models

    form, policy, folded = VARIANTS[variant]
    names = None if path else [str(n) for n in range(1000)]
    model, params = models.load(network, path or None, names, folded=folded)

    def score(params: Any, image: Any) -> Any:
        return model.score(params, logit(0))(image)

    one = {"forward": model.logits, "saliency": jax.grad(score, argnums=1)}[task]
    function, batch = jax.jit(jax.vmap(one, (None, 0))), jnp.asarray(x)
    with models.conv_form(form), models.precision(policy):
        compiled = function.lower(params, batch).compile()
    return lambda: compiled(params, batch), jax.block_until_ready


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
    """Serve one variant: each line that comes in is a call, each that goes out its cost."""
    make = jax_call if variant.startswith("jax") else torch_call
    started, cpu = time.perf_counter(), spent()
    call, wait = make(variant, network, task, path, images(batch, size))
    result = np.asarray(wait(call()))
    ready = {"first_s": time.perf_counter() - started, "first_cpu_s": spent() - cpu}
    wait(call())
    flat = result.astype(np.float64).reshape(-1)
    print(json.dumps(ready | {"sample": flat[:: max(1, flat.size // 5000)].tolist()}), flush=True)
    for _ in sys.stdin:
        started, cpu = time.perf_counter(), spent()
        handle = call()
        host = time.perf_counter() - started
        wait(handle)
        cost = {"wall": time.perf_counter() - started, "cpu": spent() - cpu, "host": host}
        print(json.dumps(cost), flush=True)


class Worker:
    """A process that holds one variant, ready to be called."""

    def __init__(self, python: str, arguments: list[str], environment: dict[str, str]):
        command = [python, str(Path(__file__).resolve()), "--work", *arguments]
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(
            command, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment
        )

    def read(self) -> dict[str, Any]:
        assert self.process.stdout
        line = self.process.stdout.readline()
        if not line:
            _, said = self.process.communicate()
            raise RuntimeError((said.strip().splitlines() or ["ended without a word"])[-1])
        return json.loads(line)

    def call(self) -> dict[str, Any]:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return self.read()

    def end(self) -> None:
        if self.process.poll() is None:
            self.process.communicate()


def has_torch(python: str) -> bool:
    ran = subprocess.run([python, "-c", "import torch"], capture_output=True)
    return ran.returncode == 0


def compare(found: list[float], expected: list[float]) -> float:
    return float(np.corrcoef(found, expected)[0, 1])


def measure(
    network: str, task: str, path: str, options: argparse.Namespace, variants: list[str]
) -> dict[str, Any]:
    environment = {**os.environ, "OMP_WAIT_POLICY": "PASSIVE"}
    workers: dict[str, Worker] = {}
    result: dict[str, Any] = {}
    for variant in variants:
        python = sys.executable if variant.startswith("jax") else options.torch
        arguments = [variant, network, task, path, str(options.batch), str(options.size)]
        kept = options.retain and "plain allocator" not in variant
        worker = Worker(python, arguments, environment | (RETAIN if kept else {}))
        try:
            result[variant] = worker.read() | {"rounds": []}
        except RuntimeError as error:
            result[variant] = {"left out": str(error)}
        else:
            workers[variant] = worker
    for _ in range(options.rounds):
        for variant, worker in workers.items():
            result[variant]["rounds"].append(worker.call())
    for worker in workers.values():
        worker.end()
    for variant in workers:
        summarise(result, variant, options.batch)
    for held in result.values():
        held.pop("sample", None)
    return result


def summarise(result: dict[str, Any], variant: str, batch: int) -> None:
    held, base = result[variant], result.get(BASE, {})

    def middle(value: Callable[[dict[str, float]], float]) -> float:
        return statistics.median(map(value, held["rounds"]))

    held["img/s"] = batch / middle(lambda r: r["wall"])
    held["img/cpu-s"] = batch / middle(lambda r: r["cpu"])
    held["host ms"] = 1e3 * middle(lambda r: r["host"])
    if "sample" in base:
        pairs = list(zip(base["rounds"], held["rounds"], strict=True))
        held["ratio"] = statistics.median(a["wall"] / b["wall"] for a, b in pairs)
        held["cpu ratio"] = statistics.median(a["cpu"] / b["cpu"] for a, b in pairs)
        held["correlation"] = compare(held["sample"], base["sample"])


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
    torch, variants = has_torch(options.torch), options.variants
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
                code = f"import sys, torch; sys.path.insert(0, {str(HERE)!r})\n"
                code += (
                    f"from twins import twin; torch.save(twin({network!r}).state_dict(), {path!r})"
                )
                subprocess.run([options.torch, "-c", code], check=True)
            for task in options.tasks:
                rows = measure(network, task, path, options, variants)
                results[f"{network} {task}"] = rows
                print(table({f"{network} {task}": rows}), flush=True)
    about = {
        "machine": platform.machine(),
        "processor": processor(),
        "cores": os.cpu_count(),
        "load before and after": [before, os.getloadavg()],
        "python": platform.python_version(),
        "packages": packages(options.torch if torch else None),
        "batch": options.batch,
        "size": options.size,
        "allocator keeps memory": options.retain,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


def processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":")[1].strip()
    return platform.processor()


def packages(torch: str | None) -> dict[str, str]:
    import flax
    import jax

    found = {"jax": jax.__version__, "flax": flax.__version__}
    if torch:
        code = "import torch; print(torch.__version__)"
        ran = subprocess.run([torch, "-c", code], capture_output=True, text=True, check=True)
        found["torch"] = ran.stdout.strip()
    return found


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        name, network, task, path, batch, size = sys.argv[2:]
        work(name, network, task, path, int(batch), int(size))
    else:
        main()
