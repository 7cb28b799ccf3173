"""Time the convolution of volumes: python benchmarks/conv3d.py [--torch PYTHON].

`salix` is the form that Salix takes on the CPU, `xla` the compiler's own, `taps` one convolution of
images for each tap of the kernel in depth, `torch` PyTorch's with channels first and last. Tasks
are the convolution and its gradient by the input, alone and in a loop (`lax.scan`; in PyTorch
Python's). One process for each variant; each in turn is asked for one run, round after round. Times
are of one convolution; ratios are those within a round, above 1 where a variant is faster than XLA.
Memory is the program's temporary memory in JAX, and what the process grew by in PyTorch.
"""

import argparse
import json
import os
import resource
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rounds import correlation, ratios, spread
from serving import serve
from surroundings import HERE, RETAIN, has, machine, versions
from workers import ask, end, start


@dataclass(frozen=True)
class Shape:
    space: tuple[int, int, int]
    inputs: int
    outputs: int
    size: tuple[int, int, int] = (3, 3, 3)
    stride: int = 1

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return volumes, a kernel and a gradient by the result."""
        draw = np.random.default_rng(0)
        after = tuple(n // self.stride for n in self.space)
        shapes = (
            (1, *self.space, self.inputs),
            (*self.size, self.inputs, self.outputs),
            (1, *after, self.outputs),
        )
        x, kernel, g = (draw.normal(size=shape).astype(np.float32) for shape in shapes)
        return x, kernel, g

    def pads(self) -> tuple[int, int, int]:
        back, down, along = (n // 2 for n in self.size)
        return back, down, along


SHAPES = {  # of a U-Net for brains, whose wheel deepbrain carries, and two of larger networks
    "64^3 8 to 8": Shape((64, 64, 64), 8, 8),
    "64^3 16 to 8": Shape((64, 64, 64), 16, 8),
    "32^3 32 to 32": Shape((32, 32, 32), 32, 32),
    "128^3 8 to 8": Shape((128, 128, 128), 8, 8),
    "32^3 32 to 64, stride 2": Shape((32, 32, 32), 32, 64, stride=2),
    "32^3 32 to 32, depth alone": Shape((32, 32, 32), 32, 32, (3, 1, 1)),
}
TASKS = ("forward", "gradient", "forward in a loop", "gradient in a loop")
VARIANTS = ("xla", "salix", "taps", "salix bfloat16_dots", "torch", "torch channels last")
BASE = "xla"
STEPS = 4  # of a loop


def jax_call(variant: str, shape: Shape, task: str) -> Any:
    import jax
    import jax.numpy as jnp
    from jax import lax

    from salix.nn.conv import conv, conv_form
    from salix.nn.conv3d import conv3d
    from salix.precision import precision

    step = shape.stride
    x, kernel, g = map(jnp.asarray, shape.arrays())
    back, down, along = ((n, n) for n in shape.pads())

    def taps(x: Any, kernel: Any) -> Any:
        wide = jnp.pad(x, ((0, 0), back, (0, 0), (0, 0), (0, 0)))
        total, length = jnp.zeros(g.shape), (g.shape[1] - 1) * step + 1
        for at, tap in enumerate(kernel):
            seen = wide[:, at : at + length : step]
            seen = seen.reshape(-1, *x.shape[2:])
            total += conv(seen, tap, (step, step), (down, along)).reshape(g.shape)
        return total

    def whole(x: Any, kernel: Any) -> Any:
        return conv3d(x, kernel, (step, step, step), (back, down, along))

    function = taps if variant == "taps" else whole

    def once(x: Any, kernel: Any, g: Any) -> Any:
        if "forward" in task:
            return function(x, kernel)
        return jax.vjp(lambda x: function(x, kernel), x)[1](g)[0]

    def run(x: Any, kernel: Any, g: Any) -> Any:
        if "loop" not in task:
            return once(x, kernel, g)
        start = jnp.zeros((g if "forward" in task else x).shape)
        by = jnp.arange(1.0, STEPS + 1)
        return lax.scan(lambda sum_, s: (sum_ + once(x * s, kernel, g * s), None), start, by)[0]

    form = "xla" if variant == "xla" else "explicit"
    with conv_form(form), precision("bfloat16_dots" if "dots" in variant else "float32"):
        compiled = jax.jit(run).lower(x, kernel, g).compile()
    memory = compiled.memory_analysis()
    assert memory
    facts = {"MiB": memory.temp_size_in_bytes / 2**20}
    return lambda: compiled(x, kernel, g), jax.block_until_ready, facts


def torch_call(variant: str, shape: Shape, task: str) -> Any:
    import torch  # pyright: ignore[reportMissingImports]
    from torch.nn import functional, grad  # pyright: ignore[reportMissingImports]

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    x, kernel, g = map(torch.from_numpy, shape.arrays())
    x, kernel, g = x.movedim(-1, 1), kernel.permute(4, 3, 0, 1, 2), g.movedim(-1, 1)
    layout = torch.channels_last_3d if "last" in variant else torch.contiguous_format
    x, kernel, g = (a.contiguous(memory_format=layout) for a in (x, kernel, g))
    fixed = {"stride": shape.stride, "padding": shape.pads()}

    def once(x: Any, g: Any) -> Any:
        if "forward" in task:
            return functional.conv3d(x, kernel, **fixed)
        return grad.conv3d_input(x.shape, kernel, g, **fixed)

    def run() -> Any:
        with torch.inference_mode():
            if "loop" not in task:
                return once(x, g).movedim(1, -1)
            total = torch.zeros_like(g if "forward" in task else x)
            for step in range(1, STEPS + 1):
                total += once(x * step, g * step)
            return total.movedim(1, -1)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    run()
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    return run, lambda result: result, {"MiB": grown / 2**10}


def work(variant: str, name: str, task: str) -> None:
    make = torch_call if variant.startswith("torch") else jax_call
    serve(lambda: make(variant, SHAPES[name], task))


def measure(name: str, task: str, variants: list[str], options: Any) -> dict[str, Any]:
    asked = [str(Path(__file__).resolve()), "--work"]
    pythons = {v: options.torch if v.startswith("torch") else sys.executable for v in variants}
    orders = {v: ([python, *asked, v, name, task], RETAIN) for v, python in pythons.items()}
    workers, rows = start(orders, seconds=300)
    ask(workers, rows, options.rounds, seconds=300)
    end(workers)
    steps = STEPS if "loop" in task else 1
    held = {v: row for v, row in rows.items() if "left out" not in row}
    base = held.get(BASE, {})
    for row in held.values():
        for key in ("wall", "cpu"):
            row[f"{key} ms"] = spread([1e3 * r[key] / steps for r in row["rounds"]])
            if base:
                row[f"{key} ratio"] = ratios(base["rounds"], row["rounds"], key)
        if base:
            row["correlation"] = correlation(row["sample"], base["sample"])
    for row in held.values():
        del row["sample"], row["rounds"]
    return rows


def table(title: str, rows: dict[str, Any]) -> str:
    columns = ("wall ms", "cpu ms", "wall ratio", "cpu ratio")
    lines = [f"\n| {title} | " + " | ".join(columns) + " | MiB | correlation |", "|---" * 7 + "|"]
    for variant, row in rows.items():
        if "left out" in row:
            lines.append(f"| {variant} | left out: {row['left out']} |")
            continue
        cells = [f"{row[c]['median']:.3g}" if c in row else "" for c in columns]
        cells += [f"{row['MiB']:.0f}", f"{row['correlation']:.7f}" if "correlation" in row else ""]
        lines.append(f"| {variant} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--torch", default=sys.executable, help="a Python that has PyTorch")
    parser.add_argument("--shapes", nargs="+", default=list(SHAPES), choices=list(SHAPES))
    parser.add_argument("--tasks", nargs="+", default=TASKS, choices=TASKS)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--out", type=Path, default=HERE / "results" / "conv3d-cpu.json")
    options = parser.parse_args()
    torch, variants = has(options.torch, "torch"), options.variants
    if not torch:
        variants = [v for v in variants if not v.startswith("torch")]
        print(f"PyTorch is left out: {options.torch} has none", file=sys.stderr)
    results: dict[str, Any] = {}
    before = os.getloadavg()
    for name in options.shapes:
        for task in options.tasks:
            title = f"{name}, {task}"
            results[title] = measure(name, task, variants, options)
            print(table(title, results[title]), flush=True)
    packages = versions(sys.executable, ("jax", "jaxlib"))
    packages |= versions(options.torch, ("torch",)) if torch else {}
    about = machine() | {
        "load before and after": [before, os.getloadavg()],
        "packages": packages,
        "rounds": options.rounds,
        "steps of a loop": STEPS,
        "base of ratios": BASE,
    }
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps({"about": about, "results": results}, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
    else:
        main()
