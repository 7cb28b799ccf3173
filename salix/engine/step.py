"""The compiled step of a run, of as many examples at once as the devices have memory for."""

from functools import partial
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from salix.compiler import compile_traced
from salix.data import Batch
from salix.engine.memory import first_line, free_bytes, is_out_of_memory, needed_bytes
from salix.engine.problem import Problem
from salix.engine.program import abstract_arguments, trace_step
from salix.typing import InputError, Params

REMEDY = (
    "use smaller images (--size), --precision bfloat16, a method with a smaller chunk, or fewer "
    "measures and metrics, and see that no other process uses the device"
)


class Step:
    """A program and its constant arguments on the devices, compiled for `micro` examples at once.

    `ahead` executions are in flight while the next one is sent. Where memory does not suffice,
    `reason` says why, and `micro` is halved, down to one example on each device.
    """

    def __init__(
        self, problem: Problem, params: Params, *, seed: int, mesh: Mesh, ahead: int
    ) -> None:
        self.problem, self.mesh, self.ahead = problem, mesh, ahead
        self.params = jax.tree.map(_shape, params)
        constant = (jax.tree.leaves(params), np.uint32(seed))
        try:
            self.leaves, self.seed = jax.device_put(constant, NamedSharding(mesh, P()))
        except jax.errors.JaxRuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise InputError(
                f"the model's parameters do not fit into the memory of {self._device()} "
                f"({first_line(error)}): use a smaller model or another device"
            ) from None
        self.micro, self.reason = 0, ""
        self.program: Any = None

    def compile(self, micro: int, traced: Any = None) -> None:
        """Compile for `micro` examples, `traced` or not; fewer if that itself lacks memory.

        Raises `InputError` where one example on each device is too much.
        """
        while True:
            self.program = None  # its memory is free for the next
            try:
                self.program = compile_traced(traced or self._trace(micro))
            except jax.errors.JaxRuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self.reason = first_line(error)
            else:
                self.micro = micro
                return
            if micro == self.mesh.size:
                raise self._exhausted(micro)
            micro, traced = self._half(micro), None

    def fit(self) -> None:
        """Compile for fewer examples if the program needs more than the devices' free memory.

        Without an analysis of the program, or a device that reports its memory, nothing changes.
        """
        parameters = sum(leaf.nbytes for leaf in self.leaves)
        while self.micro > self.mesh.size:
            needed = needed_bytes(self.program, parameters, self.ahead + 1)
            free = free_bytes(self.mesh.devices.flat)
            if needed is None or free is None or needed <= free:
                return
            self.reason = (
                f"{self.micro} examples at once need {needed / 1e9:.2f} GB of memory, "
                f"{free / 1e9:.2f} GB are free on {self._device()}"
            )
            micro = self._half(self.micro)  # memory grows in proportion
            while micro > self.mesh.size and needed * micro > free * self.micro:
                micro = self._half(micro)
            self.compile(micro)

    def reduce(self, reason: str) -> None:
        """Use less memory after a lack of it: half the examples at once, at last none ahead.

        Raises `InputError` where nothing is left to reduce.
        """
        self.reason = reason
        if self.micro > self.mesh.size:
            self.compile(self._half(self.micro))
        elif self.ahead:
            self.ahead = 0
        else:
            raise self._exhausted(self.micro)

    def __call__(self, batch: Batch, hashes: np.ndarray, first: int) -> dict[str, Any]:
        """Start the program on the slots from `first` on, without waiting for its results.

        The last execution of a batch is filled with empty slots.
        """
        arrays = (batch.examples, batch.valid, hashes)
        part = jax.tree.map(partial(_slots, first=first, count=self.micro), arrays)
        return self.program(list(self.leaves), *part, self.seed)  # it sends the part itself

    def _trace(self, micro: int) -> Any:
        arguments = abstract_arguments(self.problem, self.params, micro)
        return trace_step(self.problem, arguments, self.mesh)

    def _half(self, micro: int) -> int:
        """Return half as many examples, rounded up to as many on each device."""
        devices = self.mesh.size
        return -(-micro // (2 * devices)) * devices

    def _device(self) -> str:
        device = self.mesh.devices.flat[0]
        return f"{device.device_kind} ({device.platform})"

    def _exhausted(self, micro: int) -> InputError:
        return InputError(
            f"the memory of {self._device()} does not suffice for {micro} at once "
            f"({self.reason}): {REMEDY}; finished rows are kept"
        )


def _shape(array: Any) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(np.shape(array), array.dtype)


def _slots(array: np.ndarray, *, first: int, count: int) -> np.ndarray:
    part = array[first : first + count]
    missing = count - len(part)
    return part if not missing else np.pad(part, [(0, missing), *[(0, 0)] * (part.ndim - 1)])
