"""How large a report is and how fast it opens: python benchmarks/report.py [--models 20].

Plants runs of random numbers, with the columns of the standard measures, writes their report, and
opens it in a headless Chromium, if there is one: seconds more than an empty page takes to load,
run its scripts and give its document back. Medians of five.
"""

import argparse
import json
import shutil
import statistics
import subprocess
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from salix import report
from salix.engine.classification import row_columns
from salix.measures.presets import PRESETS
from salix.store import Run, write_run
from salix.typing import Column

GRID = (7, 7)
HERE = Path(__file__).parent


def told() -> list[Column]:
    """Return what the columns of the standard measures mean."""
    return [q for measure in PRESETS["standard"] for q in getattr(measure, "columns", ())]


def plant(path: Path, number: int, images: int, columns: list[Column]) -> Run:
    rng = np.random.default_rng(number)
    config = {"model": "planted", "classes": ["real", "fake"], "grid": list(GRID)}
    config |= {"data": {"count": images, "fingerprint": "planted"}, "score": "logit(target=None)"}
    about = {"name": f"model-{number}", "group": f"group-{number // 5}"}
    labels = np.arange(images) % 2
    z = rng.normal(size=images) + 3 * (labels - 0.5)
    maps = rng.integers(0, 256, (images, int(np.prod(GRID))), np.uint8)
    numbers = {q.name: rng.uniform(size=(images, max(1, len(q.coordinates)))) for q in columns}
    rows = []
    for i in range(images):
        row = {"index": i, "id": f"face/{i:05d}.jpg", "label": int(labels[i])}
        row |= {"logits": [-z[i] / 2, z[i] / 2], "predicted": int(z[i] > 0), "target": 0}
        row |= {"score": z[i], "spatial_entropy": rng.uniform(), "histogram_entropy": rng.uniform()}
        row |= {
            "gini": rng.uniform(),
            "constant_map": False,
            "finite": True,
            "map": maps[i].tolist(),
        }
        for q in columns:
            found = numbers[q.name][i]
            row[q.name] = found.tolist() if q.coordinates else float(found[0])
        rows.append(row)
    described = [
        replace(c, shape=(len(c.coordinates),), dims=(c.axis,)) if c.coordinates else c
        for c in columns
    ]
    described = (*row_columns(2, GRID), *described)
    write_run(path, described, rows, config=config, about=about)
    return Run(path)


def opened(browser: str, page: Path) -> float:
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
    parser.add_argument("--out", type=Path, default=HERE / "results" / "report.json")
    options = parser.parse_args()
    columns = told()
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        runs = [plant(root / f"{n}", n, options.images, columns) for n in range(options.models)]
        started = time.perf_counter()
        page = report.write([Run(r.path) for r in runs], root / "report.html")
        result = {"write_s": time.perf_counter() - started, "bytes": page.stat().st_size}
        browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
        if browser is None:
            print("no Chromium is here: the time to open is left out")
        else:
            empty = root / "empty.html"
            empty.write_text("<!doctype html><title>empty</title>")
            times = [(opened(browser, page), opened(browser, empty)) for _ in range(5)]
            result["open_s"] = statistics.median(a - b for a, b in times)
    result |= {"models": options.models, "images": options.images, "columns": len(columns)}
    print(json.dumps(result, indent=1))
    options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
