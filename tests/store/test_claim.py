"""One writer of a run at a time: claims of living, ended and unseen processes."""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from salix.atomic import atomic, temporary
from salix.store import claim as claims
from salix.store.claim import NAME, Claim
from salix.typing import InputError

HOLD = """
import sys, time
from pathlib import Path
from salix.store.claim import Claim
with Claim(Path(sys.argv[1])):
    print("claimed", flush=True)
    time.sleep(60)
"""


@pytest.fixture(scope="module")
def holder(tmp_path_factory):
    """A directory, and a process that has claimed it."""
    directory = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-c", HOLD, str(directory)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "claimed\n"
        yield directory, process
        process.kill()


def test_a_living_process_is_named_and_an_ended_one_leaves_no_claim(holder):
    directory, process = holder
    unfinished = directory / f"part.parquet.{socket.gethostname()}.{process.pid}.tmp"
    unfinished.touch()
    words = rf"written by process {process.pid} on {socket.gethostname()} since 20\d\d-.*wait until"
    with pytest.raises(InputError, match=words), Claim(directory):
        pass
    assert unfinished.exists()
    process.kill()
    process.wait()
    with Claim(directory):
        assert json.loads((directory / NAME).read_text())["pid"] == os.getpid()
        assert not unfinished.exists()
    assert list(directory.iterdir()) == []


def plant(directory, age=0.0, **owner):
    file = directory / NAME
    file.write_text(json.dumps(owner) if owner else "")
    os.utime(file, (time.time() - age,) * 2)


def test_a_process_on_another_host_counts_as_alive_for_two_minutes(tmp_path):
    plant(tmp_path, 60, host="elsewhere", pid=1, since="yesterday")
    with pytest.raises(InputError, match="process 1 on elsewhere since yesterday"), Claim(tmp_path):
        pass
    unfinished = tmp_path / "part.parquet.elsewhere.1.tmp"
    unfinished.touch()
    plant(tmp_path, 121, host="elsewhere", pid=1, since="yesterday")
    with Claim(tmp_path):
        assert unfinished.exists()  # it has a new time


def test_a_number_that_another_process_has_now_does_not_block(tmp_path):
    plant(tmp_path, host=socket.gethostname(), pid=os.getpid(), started="1",
          namespace=claims.namespace())  # fmt: skip
    with Claim(tmp_path):
        pass


@pytest.mark.parametrize("content", ["", "{", "[]", "null"])
def test_a_claim_that_cannot_be_read_blocks_for_two_minutes_at_most(tmp_path, content):
    (tmp_path / NAME).write_text(content)
    with pytest.raises(InputError, match=r"process . on another host since a moment ago"):
        Claim(tmp_path).__enter__()
    os.utime(tmp_path / NAME, (time.time() - 130,) * 2)
    with Claim(tmp_path):
        pass


def test_a_writer_gives_signs_of_life_and_removes_no_claim_of_another(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "SIGN_SECONDS", 0.01)
    with Claim(tmp_path):
        os.utime(tmp_path / NAME, (0, 0))
        deadline = time.monotonic() + 30
        while (tmp_path / NAME).stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        plant(tmp_path, host="other", pid=2)
    assert "other" in (tmp_path / NAME).read_text()


def test_a_claim_in_one_process_is_exclusive_too(tmp_path):
    with Claim(tmp_path), pytest.raises(InputError, match=f"process {os.getpid()}"):
        Claim(tmp_path).__enter__()


def test_temporary_names_have_host_and_process():
    name = temporary(Path("a/part-1.parquet")).name
    assert name == f"part-1.parquet.{socket.gethostname()}.{os.getpid()}.tmp"


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left"), OSError("Detail: No space left on device")]
)
def test_a_failed_write_names_its_file_and_leaves_the_one_before(tmp_path, error):
    (tmp_path / "part").write_text("before")

    def write():
        with atomic(tmp_path / "part") as unfinished:
            unfinished.write_text("half")
            raise error

    with pytest.raises(OSError, match="No space left on device") as raised:
        write()
    assert raised.value.filename == str(tmp_path / "part")
    assert [p.read_text() for p in tmp_path.iterdir()] == ["before"]
