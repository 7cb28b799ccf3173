"""Sweeps on Ray clusters of this machine: the rows of one process, whatever ends on the way."""

import os
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from salix.cli import main, range_queue, ray_cluster
from salix.cli.data_options import DataOptions
from salix.cli.plain import from_plain, to_plain
from salix.cli.range_queue import RangeQueue
from salix.cli.range_worker import RangeWorker
from salix.cli.sweep import Sweep
from salix.cli.weight_options import WeightOptions
from salix.store import Run
from salix.store.ranges import MARK, Ranges

COUNT = 60  # images, in eight ranges of a batch of eight
SIZE = {"object_store_memory": 80 * 2**20}
ROOT = Path(__file__).parent.parent
# Ray starts its processes by fork, of which JAX warns.
pytestmark = pytest.mark.filterwarnings("ignore:os.fork:RuntimeWarning")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Return a sweep's arguments without --out."""
    root = tmp_path_factory.mktemp("data")
    for name in ("real", "fake"):
        (root / name).mkdir()
        for i in range(COUNT // 2):
            pixels = np.random.default_rng(i).integers(0, 256, (8, 8), np.uint8)
            Image.fromarray(pixels).save(root / name / f"{i}.png")
    return [
        "sweep",
        "--model",
        "small",
        "--data",
        str(root),
        "--batch-size",
        "8",
        "--range-size",
        "8",
    ]


@pytest.fixture(scope="module")
def whole(command, tmp_path_factory):
    """Return the rows of the command in one process."""
    out = tmp_path_factory.mktemp("whole") / "run"
    assert main([*command, "--out", str(out)]) == 0
    return Run(out).table


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_options_as_plain_data():
    command = Sweep(
        "small", DataOptions(("real=a", "b"), group_by="1"), Path("out"),
        WeightOptions(Path("w.h5")), attribution=("Gradient()",), ray=(), ray_cores=2,
    )  # fmt: skip
    values = to_plain(command)
    assert values["images"]["data"] == ["real=a", "b"]
    assert values["weights"]["path"] == "w.h5"
    assert from_plain(Sweep, values) == command
    assert from_plain(Sweep, to_plain(replace(command, ray=None))).ray is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--ray", "here"], "--ray here is no address of a cluster: give auto, HOST:6379"),
        (["--ray", "a", "b"], "--ray a b: give one address, or none"),
        (["--ray", "127.0.0.1:1"], "no Ray cluster for --ray 127.0.0.1:1"),
        (["--ray", "ray://127.0.0.1:1"], "start one with `ray start --head`"),
        (["--ray", "--shard", "0/2"], "--ray computes the whole run: leave out --shard"),
        (["--ray", "--ray-cores", "0"], "--ray-cores 0: give at least 1"),
        (["--ray-cores", "2"], "--ray-cores is of --ray: give --ray too"),
    ],
)
def test_unusable_options_are_one_line(options, words, command, tmp_path, capsys):
    pytest.importorskip("ray")
    assert main([*command, "--out", str(tmp_path / "run"), *options]) == 2
    error = capsys.readouterr().err
    assert words in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_without_ray(command, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*command, "--out", str(tmp_path / "run"), "--ray"]) == 2
    assert capsys.readouterr().err == "salix: --ray needs Ray: pip install 'salix[ray]'\n"


def test_accelerators_are_the_places_of_workers():
    def node(name, alive=True, **resources):
        return {
            "NodeID": name,
            "NodeManagerHostname": name,
            "Alive": alive,
            "Resources": resources,
        }

    class Fake:
        listed = ()

        def nodes(self):
            return self.listed

    fake = Fake()
    fake.listed = [node("a", CPU=9.0), node("b", CPU=2.0), node("c", False, CPU=8.0), node("d")]
    places = ray_cluster.nodes(fake, None)
    assert [(p.id, p.workers, p.cores, p.accelerator) for p in places] == [
        ("a", 1, 9, None), ("b", 1, 2, None),
    ]  # fmt: skip
    assert [(p.id, p.workers, p.cores) for p in ray_cluster.nodes(fake, 4)] == [("a", 2, 4)]
    fake.listed = [node("a", CPU=64.0), node("b", CPU=64.0, GPU=8.0), node("e", CPU=1.0, GPU=2.0)]
    places = ray_cluster.nodes(fake, None)
    assert [(p.id, p.workers, p.cores, p.accelerator) for p in places] == [
        ("b", 8, 8, "GPU"), ("e", 2, 0, "GPU"),
    ]  # fmt: skip
    fake.listed = [node("a", CPU=96.0, TPU=4.0)]
    assert ray_cluster.nodes(fake, None)[0].accelerator == "TPU"


def test_ranges_are_tried_a_few_times_and_claimed_ones_last(tmp_path, capsys):
    queue = RangeQueue(Ranges(tmp_path, 7, 2), size=10, count=64, name="run")
    assert [queue.next() for _ in range(2)] == [(0, False), (1, False)]
    queue.show(0, 15)
    queue.fail(0, "on a: lost")
    queue.finish(1)
    queue.show(1, 3)  # an answer of before
    assert queue.bar.done == 35
    assert [queue.next() for _ in range(2)] == [(2, False), (3, False)]
    queue.claim(3, "range 3 is being written")
    assert queue.next() == (0, False)
    assert queue.next() == (3, True)
    assert queue.next() is None
    assert not queue.is_empty
    queue.claim(3, "range 3 is being written")
    queue.finish(2)
    for _ in range(range_queue.TRIES - 2):
        queue.fail(0, "on b: lost")
        assert queue.next() == (0, False)
    queue.fail(0, "on c: lost")
    assert queue.is_empty
    with pytest.raises(ChildProcessError, match="failed 4 times: range 0 of 4, on c: lost; all"):
        queue.check()
    error = capsys.readouterr().err
    assert "range 0 of 4 failed 1 of 4 times, on a: lost" in error
    assert "left to another process: range 3 is being written" in error


@pytest.fixture(scope="module")
def cluster():
    """Return a cluster with one node of one core, beside its head."""
    pytest.importorskip("ray")
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "include_dashboard": False, **SIZE}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    cluster.add_node(num_cpus=1, **SIZE)
    yield cluster
    cluster.shutdown()


@pytest.mark.slow
def test_a_node_is_killed(cluster, command, whole, tmp_path, capsys):
    node, out = cluster.add_node(num_cpus=1, **SIZE), tmp_path / "run"

    def kill():
        wait_for(lambda: len(list(out.glob(f"range=*/{MARK}"))) > 1)
        cluster.remove_node(node, allow_graceful=False)

    thread = threading.Thread(target=kill)
    thread.start()
    assert main([*command, "--out", str(out), "--ray", cluster.address]) == 0
    thread.join()
    assert Run(out).table.equals(whole)
    assert f"run: {COUNT} of {COUNT} images" in capsys.readouterr().err
    assert main([*command, "--out", str(out), "--ray", cluster.address]) == 0
    assert not list(out.rglob("writer.json"))


class Dying(RangeWorker):
    """Worker that ends at the range 2."""

    def compute(self, number, patient):
        """Compute a range, or end."""
        return os._exit(1) if number == 2 else super().compute(number, patient)


@pytest.mark.slow
def test_a_range_at_which_workers_die(cluster, command, whole, tmp_path, monkeypatch, capsys):
    import ray

    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
    monkeypatch.setattr("salix.cli.ray_worker.RangeWorker", Dying)
    monkeypatch.setattr("salix.cli.range_queue.TRIES", 2)
    out = tmp_path / "run"
    assert main([*command, "--out", str(out), "--ray", cluster.address]) == 1
    error = capsys.readouterr().err
    assert "salix: failed 2 times: range 2 of 8, on " in error
    assert "all other ranges are written: run the same command to try again" in error
    assert Run(out).missing == ["Examples 16 to 23 of 60 have no row."]
    monkeypatch.undo()
    assert main([*command, "--out", str(out), "--ray", cluster.address]) == 0
    assert Run(out).table.equals(whole)


@pytest.mark.slow
def test_what_no_node_can_use_is_one_line(cluster, command, tmp_path, monkeypatch, capsys):
    options = ["--out", str(tmp_path / "run"), "--ray", cluster.address]
    assert main([*command, *options, "--attribution", "Nothing()"]) == 2
    error = capsys.readouterr().err
    assert "Nothing" in error
    assert error.count("\n") == 1
    monkeypatch.setattr("salix.cli.ray_driver.versions", lambda: {"salix": "9.9", "jax": "1.0"})
    assert main([*command, *options]) == 2
    error = capsys.readouterr().err
    assert "mixed versions: salix 9.9 and jax 1.0 here, salix " in error
    assert "install the same on all" in error
    assert error.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_driver_is_killed(command, whole, tmp_path):
    pytest.importorskip("ray")
    out = tmp_path / "run"
    code = "import sys; from salix.cli import main; sys.exit(main(sys.argv[1:]))"
    arguments = [*command, "--out", str(out), "--ray"]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
    )
    wait_for(lambda: list(out.glob(f"range=*/{MARK}")))
    process.send_signal(signal.SIGKILL)
    process.wait()
    wait_for(lambda: tmp_path not in folders_of_workers())  # no worker outlives it
    assert not Run(out).complete
    assert main(arguments) == 0
    assert Run(out).table.equals(whole)


def folders_of_workers():
    """Yield the working directories of Ray's workers; its agents end later."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cmdline").read_bytes().startswith(b"ray::"):
                yield (process / "cwd").readlink()
        except OSError:
            continue
