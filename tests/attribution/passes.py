"""Model passes and memory of a compiled method.

Passes are counted as the program runs: the trunk and the head of the score multiply their input by
a one that comes from the host, and so do their derivatives. The compiler knows neither that it is
one nor that somebody counts, so that it merges and removes these operations as any other of the
model, and loops whose length depends on the data count as often as they turn.
"""

from collections import Counter
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np

from salix.perturb.host import call_on_host
from salix.typing import Passes, Score


class PassCounter:
    """A score whose passes are counted."""

    def __init__(self, score: Score):
        self.counts = Counter()
        self.plain = score
        self.score = self._counted(score, 1)

    def score_of_example(self, one: jax.Array) -> Score:
        """Return the score of an example of a batch, which has a one of its own.

        Passes at a baseline, the same for all examples, are then not shared between them.
        """
        return self._counted(self.plain, one)

    def _counted(self, score: Score, one: int | jax.Array) -> Score:
        rebuild = score.rebuild
        return replace(
            score,
            trunk=lambda image: score.trunk(self._mark("trunk", image * one)),
            head=lambda features: score.head(self._mark("head", features)),
            rebuild=rebuild and (lambda score_of, cut: self._counted(rebuild(score_of, cut), one)),
        )

    def passes(self) -> Passes:
        """Return the passes since the last call.

        A pass through the trunk alone is one of the score, the gradient of the head alone one of
        the score with its gradient.
        """
        jax.effects_barrier()
        n = self.counts
        gradients = max(n["trunk gradient"], n["head gradient"])
        result = Passes(max(n["trunk"], n["head"]) - gradients, gradients)
        self.counts = Counter()
        return result

    def _mark(self, part, array):
        @jax.custom_jvp
        def mark(x):
            return x * self._one(part, x)

        @mark.defjvp
        def derivative(primals, tangents):
            (x,), (t,) = primals, tangents
            return mark(x), t * self._one(f"{part} gradient", x)

        return mark(array)

    def _one(self, event, x):
        def one(total):
            self.counts[event] += total.size  # of a batch: of each of its examples
            return np.ones_like(total)

        total = jax.lax.stop_gradient(x).sum(dtype=jnp.float32)
        return call_on_host(one, jax.ShapeDtypeStruct((), total.dtype), total).astype(x.dtype)


def temporary_bytes(function, *arguments) -> int:
    """Return the memory that the compiled function needs beside its arguments and results."""
    program = jax.jit(function).lower(*arguments).compile()
    return program.memory_analysis().temp_size_in_bytes
