"""The one entry of the benchmarks."""

import subprocess
import sys

import pytest


def run(folder, *arguments):
    command = [sys.executable, str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_list_has_every_benchmark_with_its_first_line(folder):
    listed = {line.split()[0]: line for line in run(folder).stdout.splitlines() if line[:1] == " "}
    assert "Throughput of explanations" in listed["throughput"]
    assert "rounds" not in listed  # a module that benchmarks import
    assert set(listed) <= {path.stem for path in folder.glob("*.py")}
    assert all(len(line.split()) > 3 for line in listed.values())


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [(("mesures",), 2, "give measures"), (("page", "--help"), 0, "--results")],
)
def test_a_name_starts_its_benchmark(folder, arguments, status, text):
    process = run(folder, *arguments)
    assert process.returncode == status
    assert text in process.stdout + process.stderr
