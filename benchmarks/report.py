"""Time, memory and size of a report, and the time in which it opens: python benchmarks report.

Plants runs of random numbers with the columns of the standard measures, one run of many images and
many runs of fewer, and writes the report of each in a process of its own, whose greatest resident
memory is recorded. The smaller page is opened in a headless Chromium, if there is one: seconds more
than an empty page takes to load, run its scripts and give its document back, median of five.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from salix.engine.classification_columns import row_columns
from salix.measures.presets import PRESETS
from salix.store import KEYS, open_run, write_parquet
from salix.store.schema import arrow_schema
from salix.typing import Column

GRID = (7, 7)
PART = 20_000  # rows of a Parquet part
HERE = Path(__file__).parent
WRITE = """
import json, resource, sys, time
started = time.perf_counter()
from pathlib import Path
from salix import report
from salix.store import Run
page = report.write([Run(Path(p)) for p in sys.argv[2:]], sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
seconds, cpu = time.perf_counter() - started, time.process_time()
numbers = {"write_s": seconds, "cpu_s": cpu, "peak_gib": peak}
print(json.dumps(numbers | {"bytes": page.stat().st_size}))
"""


def measure_columns() -> list[Column]:
    """Return the columns of the standard measures, with their shapes."""
    columns = [c for measure in PRESETS["standard"] for c in getattr(measure, "columns", ())]
    return [
        replace(c, shape=(len(c.coordinates),), dims=(c.axis,)) if c.coordinates else c
        for c in columns
    ]


def plant(path: Path, number: int, images: int) -> Path:
    """Write a run of random numbers, part by part."""
    import pyarrow as pa

    columns = (*KEYS, *row_columns(2, GRID), *measure_columns())
    config: dict[str, Any] = {"model": "planted", "classes": ["real", "fake"], "grid": list(GRID)}
    config |= {"data": {"count": images, "fingerprint": "planted"}, "score": "logit(target=None)"}
    about = {"name": f"model-{number}", "group": f"group-{number // 5}"}
    open_run(path, config, about, columns=columns)
    rng = np.random.default_rng(number)
    for part, first in enumerate(range(0, images, PART)):
        index = np.arange(first, min(first + PART, images))
        arrays = [_values(c, index, rng) for c in columns]
        table = pa.Table.from_arrays(arrays, schema=arrow_schema(columns))
        write_parquet(path / f"part-{part:09d}-{part:09d}.parquet", table)
    return path


def _values(column: Column, index: np.ndarray, rng: np.random.Generator) -> Any:
    import pyarrow as pa

    n, label = len(index), index % 2
    known: dict[str, Any] = {
        "index": index,
        "id": [f"face/{i:07d}.jpg" for i in index],
        "label": label.astype(np.int32),
        "predicted": (label ^ (rng.uniform(size=n) < 0.1)).astype(np.int32),
        "target": label.astype(np.int32),
        "constant_map": np.zeros(n, bool),
        "finite": np.ones(n, bool),
    }
    if column.name in known:
        return pa.array(known[column.name])
    if column.dtype in ("string", "binary"):
        return pa.nulls(n, pa.string() if column.dtype == "string" else pa.binary())
    shape = (n, int(np.prod(column.shape)))
    if column.dtype == "uint8":
        values = rng.integers(0, 256, shape, np.uint8)
    else:
        values = rng.uniform(size=shape).astype(np.float32)
    if column.name == "logits":
        values[:, 1] += label
    if not column.shape:
        return pa.array(values[:, 0])
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), shape[1])


def write_report(runs: Sequence[Path], page: Path) -> dict[str, Any]:
    """Write the report of runs in a new process; return its times, greatest memory and size."""
    command = [sys.executable, "-c", WRITE, str(page), *map(str, runs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def open_page(browser: str, page: Path) -> float:
    """Return the seconds in which a browser starts, opens a page and ends."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as profile:
        options = ("--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}")
        command = [browser, *options, "--dump-dom", f"file://{page}"]
        subprocess.run(command, capture_output=True, check=True, timeout=120)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=20)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=1_000_000, help="images of the single run")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "report.json")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        single = [plant(root / "single", 0, options.rows)]
        large = write_report(single, root / "single.html") | {"images": options.rows}
        print(json.dumps(large))
        shutil.rmtree(single[0])
        runs = [plant(root / f"{n}", n, options.images) for n in range(options.models)]
        page = root / "report.html"
        many = write_report(runs, page) | {"models": options.models, "images": options.images}
        browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
        if browser is None:
            print("no Chromium is here: the time to open is left out")
        else:
            empty = root / "empty.html"
            empty.write_text("<!doctype html><title>empty</title>")
            times = [(open_page(browser, page), open_page(browser, empty)) for _ in range(5)]
            many["open_s"] = statistics.median(a - b for a, b in times)
    result = {"many_models": many, "many_rows": large, "columns": len(measure_columns())}
    if options.out.exists():  # an earlier version's numbers, to compare with
        result["before"] = json.loads(options.out.read_text()).get("before")
    print(json.dumps(result, indent=1))
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
