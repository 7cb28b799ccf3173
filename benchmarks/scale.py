"""Memory, start and loop of sweeps by the number of images.

    python benchmarks scale --out benchmarks/results/scale-cpu.json

Peak memory of a whole sweep of a tiny model over lists of files; of the list of ids alone, in
bytes per id; the parts of the start over a tree of small files (hard links); and images/s of a
sweep from memory against its compiled program. Each measurement has its own process, with the
settings of the command line.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jax
import numpy as np
from machine import HERE
from PIL import Image

import salix

FOLDER_FILES, LINKS = 1000, 50_000  # files of a folder, and links to one file
ROWS = 1 << 18  # of a row group


def measure(*arguments: str | Path) -> dict[str, Any]:
    """Return the result of a measurement in a process of its own."""
    command = [sys.executable, str(HERE / "scale_parts.py"), *map(str, arguments)]
    variables = os.environ | {"JAX_PLATFORMS": "cpu"}
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=variables)
    result = json.loads(output.stdout.splitlines()[-1])
    print(arguments[0], result, flush=True)
    return result


def name_of(number: int) -> str:
    """Return the path of a file in the tree."""
    folder = number // FOLDER_FILES
    return f"{('fake', 'real')[folder % 2]}/{folder:06d}/image-{number:08d}.png"


def write_tree(root: Path, count: int) -> Path:
    """Write small images with many names in folders."""
    rng, seeds = np.random.default_rng(0), root.with_suffix(".seeds")
    seeds.mkdir()
    copies = -(-count // LINKS)
    for i in range(copies):
        Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).save(seeds / f"{i}.png")
    for number in range(count):
        file = root / name_of(number)
        if number % FOLDER_FILES == 0:
            file.parent.mkdir(parents=True)
        os.link(seeds / f"{number % copies}.png", file)
    return root


def write_list(file: Path, names: Iterator[tuple[str, str]]) -> Path:
    """Write a Parquet table of paths and labels."""
    from itertools import islice

    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = pa.schema([("path", pa.string()), ("label", pa.string())])
    with pq.ParquetWriter(file, schema) as writer:
        while some := list(islice(names, ROWS)):
            arrays = [pa.array(column) for column in zip(*some, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
    return file


def memory(folder: Path, counts: list[int]) -> list[dict[str, Any]]:
    tree = write_tree(folder / "files", max(counts))
    results = []
    for count in counts:
        names = ((f"{tree.name}/{name_of(k)}", ("fake", "real")[k % 2]) for k in range(count))
        data = write_list(folder / f"{count}.parquet", names)
        results.append(measure("sweep", data, folder / f"run-{count}"))
    return results


def ids(folder: Path, counts: list[int]) -> list[dict[str, Any]]:
    results = []
    for count in counts:
        names = ((f"{k // 1000:06d}/image-{k:09d}.jpg", "real") for k in range(count))
        data = write_list(folder / f"ids-{count}.parquet", names)
        results.append(measure("ids", data))
        data.unlink()
    return results


def flags() -> list[str]:
    """Return the vector extensions of the CPU."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    words = next((line.split() for line in lines if line.startswith("flags")), [])
    return sorted(w for w in words if w.startswith(("avx", "amx", "fma")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, nargs="*", default=[1000, 10_000, 100_000])
    parser.add_argument("--ids", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--files", type=int, nargs="*", default=[1_000_000])
    parser.add_argument(
        "--loops", nargs="*", default=["tiny:20000:5", "small:2000:5", "resnet18:64:5"],
        metavar="NETWORK:IMAGES:ROUNDS",
    )  # fmt: skip
    parser.add_argument("--out", type=Path, default=HERE / "results/scale-cpu.json")
    options = parser.parse_args()
    content = json.loads(options.out.read_text()) if options.out.exists() else {}
    content["about"] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpu": platform.processor() or platform.machine(),
        "flags": flags(),
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
        "jax": jax.__version__,
        "salix": salix.__version__,
        "load_before": round(os.getloadavg()[0], 1),
        "note": "load_before is the load average before the first measurement: wall times of loads "
        "above 0.5 are too long",
    }
    with tempfile.TemporaryDirectory() as root:
        folder = Path(root)
        if options.images:
            content["memory"] = memory(folder, options.images)
        if options.ids:
            content["ids"] = ids(folder, options.ids)
        if options.files:
            content["start"] = [
                measure("start", write_tree(folder / f"tree-{n}", n), folder / f"inputs-{n}")
                for n in options.files
            ]
        if options.loops:
            content["loop"] = {
                name: measure("loop", name, *rest, folder / name)
                for name, *rest in (loop.split(":") for loop in options.loops)
            }
    options.out.write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main()
