"""Time and memory of reading a run of 10^6 rows: python benchmarks read_rows [--rows 1000000].

Writes a run of random numbers with maps of 14 x 14 pixels, then reads it in fresh processes: one
column, the maps piece by piece, and nothing. Peak memory is that of the process; what the imports
take is in the last line.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

from salix.engine.classification_columns import row_columns
from salix.store import KEYS, Run, open_run
from salix.store.schema import arrow_array, arrow_schema
from salix.store.writer import write_parquet

GRID, PART_ROWS = (14, 14), 20_000
READ = {
    "gini": lambda run: run.read(["gini"])["gini"].mean(),
    "maps": lambda run: sum(int(c["map"].sum(dtype=np.int64)) for c in run.iterate(["map"])),
    "nothing": lambda run: run.name,
}


def write(path: Path, rows: int) -> None:
    """Write a run of random numbers, part by part."""
    columns = (*KEYS, *row_columns(2, GRID))
    config = {"classes": ["real", "fake"], "data": {"count": rows}}
    open_run(path, config, {"name": "random", "group": "random"}, columns=columns)
    draw = np.random.default_rng(0)
    for part, first in enumerate(range(0, rows, PART_ROWS)):
        indices = range(first, min(first + PART_ROWS, rows))
        values = {"index": indices, "id": [f"image-{i:08d}" for i in indices]}
        values |= {c.name: draw.random(len(indices)) for c in columns if c.dtype == "float32"}
        values |= {"logits": draw.normal(size=(len(indices), 2))}
        values |= {"map": draw.integers(0, 256, (len(indices), *GRID), np.uint8)}
        missing = [None] * len(indices)
        arrays = [arrow_array(c, values.get(c.name, missing)) for c in columns]
        table = pa.Table.from_arrays(arrays, schema=arrow_schema(columns))
        write_parquet(path / f"part-{part:09d}-{part:09d}.parquet", table)


def main() -> None:
    """Write, read and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--read", nargs=2, metavar=("WHAT", "RUN"), help="of a subprocess")
    options = parser.parse_args()
    if options.read:
        what, path = options.read
        start = time.perf_counter()
        READ[what](Run(Path(path)))
        seconds = time.perf_counter() - start
        # Of this program alone: the maximum of getrusage outlives the start of a subprocess.
        (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
        print(json.dumps({what: {"seconds": round(seconds, 2), "peak_mib": int(peak) // 1024}}))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        write(path, options.rows)
        size = sum(p.stat().st_size for p in path.iterdir()) / 2**20
        print(json.dumps({"rows": options.rows, "mib_on_disk": round(size)}))
        for what in READ:
            subprocess.run([sys.executable, __file__, "--read", what, str(path)], check=True)


if __name__ == "__main__":
    main()
