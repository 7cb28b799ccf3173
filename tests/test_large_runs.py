"""The worker line of the Slurm example, as local processes."""

import json
import os
import re
import subprocess
import sys
import time
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
    line = re.search(r"^srun (salix .*) &$", PAGE, re.M)[1]
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


SLOW = """
import sys, time
from salix.data.files import Folder
from salix.engine import run
run.FLUSH_SECONDS = -1.0
read = Folder.read
def slow(self, index):
    time.sleep(0.2)
    return read(self, index)
Folder.read = slow
from salix.cli import main
sys.exit(main(sys.argv[2:]))
"""


@pytest.mark.slow
def test_the_slurm_script_is_queued_again_after_sigterm_and_completes_the_run(tmp_path):
    (tmp_path / "photos").mkdir()
    for i in range(60):
        pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
        Image.fromarray(pixels).save(tmp_path / "photos" / f"{i}.png")
    script = re.search(r"^#!/bin/bash\n#SBATCH --array.*?^exit .*?$", PAGE, re.M | re.S)[0]
    assert "#SBATCH --signal=B:TERM@120\n" in script
    script = script.replace("resnet50 --weights resnet50.pth", "small --batch-size 8")
    script = script.replace("/16", "/1")
    (tmp_path / "slow.py").write_text(SLOW)
    stubs = {
        "srun": f"exec '{sys.executable}' slow.py \"$@\"",
        "scontrol": 'echo "$@" >> queued',
    }
    for name, line in stubs.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{line}\n")
        (tmp_path / name).chmod(0o755)
    about = {"SLURM_ARRAY_TASK_ID": "0", "SLURM_JOB_ID": "77", "PYTHONPATH": str(ROOT)}
    about["PATH"] = f"{tmp_path}:{os.environ['PATH']}"

    def start():
        return subprocess.Popen(["bash", "-c", script], cwd=tmp_path, env=os.environ | about)

    out, deadline = tmp_path / "runs/photos", time.monotonic() + 120
    with start() as task:
        while not list(out.glob("part-*")):
            assert time.monotonic() < deadline
            assert task.poll() is None
            time.sleep(0.02)
        task.terminate()
        assert task.wait(60) == 143
    assert (tmp_path / "queued").read_text() == "requeue 77\n"
    assert 0 < len(Run(out).table) < 60
    with start() as task:
        assert task.wait(120) == 0
    run = Run(out)
    assert run.complete
    assert len(set(run.table["id"].to_pylist())) == 60


def test_the_kubernetes_example_ignores_the_status_of_sigterm():
    assert "values: [143]" in PAGE
    assert "terminationGracePeriodSeconds: 120" in PAGE
    assert "exec salix sweep" in PAGE  # which receives the signal
