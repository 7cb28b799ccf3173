"""Numbers as examples, in a module that spawned processes can import."""

import os
import signal
import time
from dataclasses import dataclass

import numpy as np

from salix.data.bounds import Unreadable


@dataclass
class Numbers:
    """Twenty-one examples, of which some cannot be read and one may end its process."""

    deadly: int = -1
    unsendable: object = None
    ids: tuple[str, ...] = tuple(map(str, range(21)))

    def load(self, index):
        if index == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        if index % 7 == 3:
            raise Unreadable(f"broken {index}")
        if index == 5:
            raise FileNotFoundError(2, "No such file", "a\udce9.png")
        time.sleep(0.001 * (index % 3))
        return {"x": np.full(2, index, np.int32)}

    columns: tuple[()] = ()

    def describe(self, index, example):
        return {}

    def identity(self):
        return {}
