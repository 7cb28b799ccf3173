"""Expected gradients (GradientSHAP): integrated gradients over a distribution of baselines."""

from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from salix.attribution.chunks import sum_chunks
from salix.attribution.integrated_gradients import BASELINE, broadcast_baselines
from salix.attribution.smoothgrad import NOISE
from salix.hyperparameters import Hyperparameter, check_fields, integer, settings_text
from salix.precision import widen
from salix.typing import AnyArray, Attribution, Image, Passes, PRNGKey, ScoreLike

REFERENCES = Hyperparameter(
    BASELINE.plain,
    'give an array of reference images [n *space c], one image, numbers, or "black_white"',
)


@dataclass(frozen=True)
class ExpectedGradients:
    r"""Expected gradients, integrated gradients averaged over reference images x'.

    $A(x) = E_{x', t}\left[(x - x') \odot \nabla f(x' + t\,(x - x'))\right]$, with x' drawn from
    `references` with replacement, t uniform in [0, 1], and the mean of `samples` draws as its
    estimate, one gradient each, `chunk` of them in one batch. Signed, in units of the score;
    complete in expectation, $E \sum A = f(x) - \overline{f(x')}$, with an error of
    O(samples^-1/2).

    `references` are images [n *space c] in the input's units (from Python only), best a sample of
    the training data; or one image, one number, one a channel; by default the two images "black"
    and "white" of the `Score`, as for `IntegratedGradients`. `noise` adds Gaussian noise to the
    image in each draw, of standard deviation `noise` x (max x - min x): the local smoothing of
    GradientSHAP. Sums are in 32 bits or more. Raises `InputError` for references of another
    shape or not finite, fewer than one sample, and negative noise.

    Erion et al. (2021), arXiv:1906.10670; GradientSHAP is Lundberg's name for it.
    """

    references: float | int | tuple[float | int, ...] | str | AnyArray = "black_white"
    samples: int = 64
    noise: float | int = 0.0
    chunk: int = field(default=1, metadata={"described": "changed"})

    def __post_init__(self) -> None:
        check_fields(self, references=REFERENCES, samples=integer(1), noise=NOISE)
        check_fields(self, chunk=integer(1))

    __repr__ = settings_text

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=self.samples)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        image, gradient = jnp.asarray(image), jax.grad(score)
        references = self._stack(score, image)
        sigma = self.noise * (image.max() - image.min())

        keys = jax.random.split(key, self.samples)

        def term(sample: Array) -> Array:
            which, where, noise_key = jax.random.split(keys[sample], 3)
            start = widen(references[jax.random.randint(which, (), 0, len(references))])
            end = widen(image)
            if self.noise:
                end = end + widen(sigma) * jax.random.normal(noise_key, image.shape, end.dtype)
            t = jax.random.uniform(where, (), end.dtype)
            point = (start + t * (end - start)).astype(image.dtype)
            return (end - start) * widen(gradient(point))

        return sum_chunks(term, self.samples, chunk=self.chunk) / self.samples

    def baselines(self, score: ScoreLike, image: Image) -> tuple[Array, ...]:
        """Return the images to whose mean score the attribution is complete in expectation."""
        return tuple(self._stack(score, jnp.asarray(image)))

    def _stack(self, score: ScoreLike, image: Array) -> Array:
        """Return the references as images [n *space c]."""
        several = _is_stack(self.references, image)
        references = [self.references] if not several else list(jnp.asarray(self.references))
        return jnp.stack([b for r in references for b in broadcast_baselines(r, score, image)])


def _is_stack(references: Any, image: Array) -> bool:
    return isinstance(references, AnyArray) and np.ndim(references) == image.ndim + 1
