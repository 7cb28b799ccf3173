"""Non-sensitivity: pixels without attribution against pixels that the score does not depend on."""

import jax
import jax.numpy as jnp

from salix.hyperparameters import FLAG, check_value, number
from salix.metrics.explainer import as_explainer, raw_attribution
from salix.metrics.faithfulness.masked_images import place_on_image
from salix.metrics.samples import COUNT
from salix.precision import widen
from salix.typing import Explain, Image, Index, PRNGKey, Scalar

SMALL = number(lambda n: 0 <= n < 1, remedy="give a number in [0, 1)")


def non_sensitivity(
    explain: Explain,
    image: Image,
    key: PRNGKey,
    *,
    samples: int = 1,
    tolerance: float = 1e-5,
    normalise: bool = False,
    chunk: int = 1,
) -> Scalar:
    r"""Number of pixels on which zero attribution and insensitivity of the score disagree.

    $|A_0 \,\triangle\, X_0|$: $A_0$ are the pixels whose attribution, the sum of absolute values
    over the channels, is at most `tolerance` times that of the greatest; $X_0$ those whose random
    replacement changes the explained scalar by at most `tolerance` times what the most influential
    pixel does, in each of `samples` draws. Replacements are uniform over the range of the image. An
    attribution on a smaller grid is enlarged linearly. Range [0, number of pixels], or [0, 1] with
    `normalise=True`; lower is better. Peers compare with an absolute tolerance, which depends on
    the scale of map and score.

    NaN where the attribution is not finite. A pass for each pixel and sample, `chunk` in one batch,
    and one explanation: for large images explain a smaller one. Raises `InputError` for options out
    of range.

    Nguyen and Martinez (2020), arXiv:2007.07584, sec. 3.
    """
    check_value("samples", samples, COUNT)
    check_value("tolerance", tolerance, SMALL)
    check_value("normalise", normalise, FLAG)
    check_value("chunk", chunk, COUNT)
    explainer, image = as_explainer(explain), jnp.asarray(image)
    clean = explainer(image)
    space, channels = image.shape[:-1], image.shape[-1]
    attribution = raw_attribution(clean)
    size = place_on_image(jnp.abs(attribution).sum(-1), space).ravel()
    score = widen(explainer.score_of(clean.logits, clean.target))
    wide = widen(image)
    low, high = wide.min(), wide.max()
    pixels = image.reshape(-1, channels)

    def change(i: Index) -> Scalar:
        draw = jax.random.uniform(jax.random.fold_in(key, i), (channels,), wide.dtype, low, high)
        other = pixels.at[i % len(pixels)].set(draw.astype(image.dtype)).reshape(image.shape)
        return jnp.abs(widen(explainer.score(other, clean.target)) - score)

    count = samples * len(pixels)
    batch = None if chunk == 1 else min(chunk, count)
    changes = jax.lax.map(change, jnp.arange(count), batch_size=batch)
    changes = changes.reshape(samples, len(pixels)).max(0)
    without = size <= tolerance * size.max()
    insensitive = changes <= tolerance * changes.max()
    number = (without != insensitive).sum().astype(size.dtype)
    value = number / len(pixels) if normalise else number
    return jnp.where(jnp.isfinite(size).all() & jnp.isfinite(changes).all(), value, jnp.nan)
