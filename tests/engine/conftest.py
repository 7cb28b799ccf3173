"""A sudden end of a sweep that runs in another process."""

import signal
import time

import pytest


@pytest.fixture
def kill_after_first_part():
    """Return a function that kills a process once its run directory has a finished part."""

    def kill(process, out):
        deadline = time.monotonic() + 120
        while not list(out.glob("part-*.parquet")):
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()

    return kill
