"""Time and memory of a comparison of models from rows: python benchmarks comparison.

Plants runs with the columns of `Regions` over the same images, of about 145 segments, and measures
each part in a process of its own: the table of regions, the shares of concepts, and the whole of
`salix compare` with its page and tables. Wall time, time of the processors, and the greatest
resident memory.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from machine import HERE, describe_machine

sys.path.insert(0, str(HERE.parent))
from tests.compare.synthetic_runs import write_runs

CONCEPTS = 25
MEASURE = """
import json, re, sys, time
from pathlib import Path
started = time.perf_counter()
def measured(**numbers):
    (peak,) = re.findall(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())
    numbers |= {"wall_s": time.perf_counter() - started, "cpu_s": time.process_time()}
    print(json.dumps(numbers | {"peak_gib": int(peak) / 2**20}))
"""
PARTS = {
    "nothing": "import salix.compare; measured()",
    "table": """
from salix.compare import read_regions
table = read_regions(sys.argv[2:])
measured(regions=len(table.image), images=len(table.ids))
""",
    "table and shares": f"""
import numpy as np
from salix.compare import concept_shares, read_regions
table = read_regions(sys.argv[2:])
concept = np.random.default_rng(0).integers(0, {CONCEPTS}, len(table.image))
begun = time.perf_counter(), time.process_time()
concept_shares(table, concept, {CONCEPTS})
wall, cpu = time.perf_counter() - begun[0], time.process_time() - begun[1]
measured(shares_wall_s=wall, shares_cpu_s=cpu)
""",
    "command": """
from salix.cli import main
sys.argv = ["salix", "compare", *sys.argv[2:], "--out", sys.argv[1]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
measured(page_mib=Path(sys.argv[-1]).stat().st_size / 2**20)
""",
}


def measure(part: str, page: Path, runs: Sequence[Path]) -> dict[str, Any]:
    """Run one part in a new process and return its numbers."""
    command = [sys.executable, "-c", MEASURE + PARTS[part], str(page), *map(str, runs)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=int, default=2)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--parts", nargs="*", choices=PARTS, help="all that are installed")
    parser.add_argument("--runs", type=Path, help="a folder that keeps the planted runs")
    parser.add_argument("--out", type=Path, default=HERE / "results" / "comparison.json")
    options = parser.parse_args()
    has_command = importlib.util.find_spec("salix.cli.compare") is not None
    parts = options.parts or [p for p in PARTS if p != "command" or has_command]
    with tempfile.TemporaryDirectory() as folder:
        root = options.runs or Path(folder)
        strengths = {chr(ord("A") + n): 4.0 if n == 0 else 1.0 for n in range(options.models)}
        runs = [root / name for name in strengths]
        started = time.perf_counter()
        if not all(run.exists() for run in runs):
            write_runs(root, planted=strengths, images=options.images)
            print(f"planted in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        size = sum(p.stat().st_size for run in runs for p in run.iterdir()) / 2**30
        # The load of other programs: wall times on a busy machine are upper bounds.
        machine = describe_machine() | {"load": os.getloadavg()[0]}
        result: dict[str, Any] = {"machine": machine, "models": options.models}
        result |= {"images": options.images, "gib_on_disk": size, "parts": {}}
        for part in parts:
            result["parts"][part] = measure(part, Path(folder) / "page.html", runs)
            print(json.dumps({part: result["parts"][part]}), flush=True)
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
