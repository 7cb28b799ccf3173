"""The worker line of the Slurm example, as local processes."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from salix.store import Run

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/large-runs.md").read_text()


def test_the_examples_cut_the_run_in_as_many_shards_as_they_have_tasks():
    assert "#SBATCH --array=0-15\n" in PAGE
    assert '--shard "$SLURM_ARRAY_TASK_ID/16"' in PAGE
    assert "completions: 16\n  parallelism: 16\n" in PAGE
    assert '--shard "$JOB_COMPLETION_INDEX/16"' in PAGE


@pytest.mark.slow
def test_the_slurm_examples_tasks_complete_the_run(tmp_path):
    for i in range(21):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
        (tmp_path / "photos").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    line = re.search(r"^srun (salix .*)$", PAGE, re.M)[1]
    # A small model with random weights, and three tasks for three ranges.
    line = line.replace("resnet50 --weights resnet50.pth", "small --batch-size 8 --range-size 8")
    line = line.replace("/16", "/3").replace("salix", f"'{sys.executable}' -m salix.cli", 1)
    tasks = [
        subprocess.Popen(
            ["bash", "-c", line],
            cwd=tmp_path,
            env=os.environ | {"SLURM_ARRAY_TASK_ID": str(task), "PYTHONPATH": str(ROOT)},
        )
        for task in range(3)
    ]
    assert [task.wait(120) for task in tasks] == [0, 0, 0]
    run = Run(tmp_path / "runs/photos")
    assert run.complete
    ids = run.table["id"].to_pylist()
    assert len(set(ids)) == len(ids) == 21
    marks = [json.loads(p.read_text()) for p in run.path.glob("range=*/range.json")]
    assert len(marks) == 3
