"""Similarity of the maps of two classes: the explained one and a random other."""

import jax
import jax.numpy as jnp

from salix.hyperparameters import check_value
from salix.metrics.comparison import SIMILARITY, Similarity
from salix.metrics.explainer import as_explainer
from salix.metrics.faithfulness.ranking import is_ranked
from salix.typing import Explain, Image, InputError, PRNGKey, Scalar

SSIM = Similarity("ssim", eight_bit=False)


def random_logit(
    explain: Explain, image: Image, key: PRNGKey, *, similarity: Similarity = SSIM
) -> Scalar:
    r"""Similarity of the map of the explained class to that of a random other class.

    $s(m_t, m_u)$ of the pooled maps, scaled to [0, 1], with $u \ne t$ drawn from the key, each
    other class alike. Range that of the `similarity`, by default SSIM in [-1, 1]; lower means that
    the map depends more on the class. NaN where a map is constant or not finite. Two explanations.
    Raises `InputError` for a model of one class, and where the explained score is not that of the
    target, such as `logit(target=1)`, so that both maps would be the same.

    Sixt, Granz and Landgraf (2020), arXiv:1912.09818, sec. 5.
    """
    check_value("similarity", similarity, SIMILARITY)
    explainer = as_explainer(explain)
    if not explainer.targeted:
        raise InputError(
            "the explained score is the same for every class, and random_logit compares the maps "
            "of two: explain a score of the target, such as logit() or probability()"
        )
    clean = explainer(image)
    classes = clean.logits.shape[0]
    if classes < 2:
        raise InputError("the model has one class, and random_logit needs another one")
    step = jax.random.randint(key, (), 1, classes, jnp.int32)
    other = explainer(image, ((clean.target + step) % classes).astype(jnp.int32))
    defined = is_ranked(clean.map) & is_ranked(other.map)
    return jnp.where(defined, similarity(clean.map, other.map), jnp.nan)
