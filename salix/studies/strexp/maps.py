"""STRExp: a map for each character of a word, a global map, and their means, by any method."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from salix.attribution import pool, pooling_of
from salix.models.recognisers import Recogniser
from salix.studies.strexp.scores import (
    path_score,
    position_score,
    positions_score,
    substitution_score,
    word_score,
)
from salix.studies.strexp.segments import COUNT, ImageLabels
from salix.typing import Index, Method, Params, PRNGKey, Scalar, Score

CharacterScore = Literal["substitution", "path"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class ReadWord:
    """An image, the word that is explained on it and its alignment, as arrays.

    `word` are classes padded with 0, `frames` the flags of each character's frames, `labels` the
    segments of the image.
    """

    image: Float[Any, "... h w 1"]
    word: Int[Any, "... n"]
    frames: Bool[Any, "... n t"]
    labels: Int[Any, "... h w"]

    @property
    def length(self) -> Array:
        """The number of characters."""
        return (jnp.asarray(self.word) > 0).sum(-1)


def score_of(
    recogniser: Recogniser, params: Params, read: ReadWord, at: Index, *, kind: CharacterScore
) -> Score:
    """Return the score of the word for `at` 0, and of its character `at` - 1 above.

    The word's is its log-likelihood; a character's is `substitution_score` or `path_score`, which
    are both `position_score` for a decoder of one output a character. Score and features are those
    of one image [h w 1], divided after the convolutions.
    """

    def head(features: Any) -> Scalar:
        logits = recogniser.classify(params, features[None])[0]
        character = jnp.maximum(at - 1, 0)
        if recogniser.decoding == "position":
            own = position_score(logits, read.word, character)
        elif kind == "path":
            own = path_score(logits, read.word, jnp.asarray(read.frames)[character], character)
        else:
            own = substitution_score(logits, read.word, character)
        return jnp.where(at == 0, word_score_of(recogniser, logits, read.word), own)

    return Score(head, lambda image: recogniser.features(params, image[None])[0], (-1.0,), (1.0,))


def word_score_of(recogniser: Recogniser, logits: Any, word: Any) -> Scalar:
    """Return the log-likelihood of a word from the logits of a recogniser's frames."""
    score = positions_score if recogniser.decoding == "position" else word_score
    return score(logits, word)


def explain_word(
    method: Method,
    score: Callable[[Index], Score],
    read: ReadWord,
    key: PRNGKey,
) -> Float[Array, "maps h w"]:
    """Return the global map of a word, then the map of each of its characters, 0 for padding.

    `score(at)` is the score of the word for 0, of the character `at` - 1 above. A method of
    segments gets those of `read`, and removes them in favour of the background. Its random choices
    are those of one `key` for all maps: the perturbed images are the same, so that one pass of the
    model serves the word and all its characters. A method of gradients passes forward once, and
    back once for each map.
    """
    if hasattr(method, "partition"):
        parts = {"partition": ImageLabels(read.labels, COUNT), "fill": background(read.image)}
        method = replace(method, **parts)  # pyright: ignore[reportArgumentType]
    image = jnp.asarray(read.image)

    def explain(at: Array) -> Array:
        return pool(method(score(at), image, key), pooling_of(method))

    maps = jax.vmap(explain)(jnp.arange(jnp.shape(read.word)[0] + 1))
    if maps.shape[1:] != image.shape[:-1]:  # on the grid of the features
        maps = jax.vmap(lambda m: jax.image.resize(m, image.shape[:-1], "linear"))(maps)
    defined = jnp.arange(len(maps)) <= read.length
    return jnp.where(defined[:, None, None], maps, 0)


def background(image: Float[Any, "h w 1"]) -> Float[Array, "h w 1"]:
    """Return an image of the level of the background: the median, as ink is the lesser part."""
    image = jnp.asarray(image)
    return jnp.full(image.shape, jnp.median(image))


def combine_maps(
    maps: Float[Array, "maps *space"], length: Any
) -> tuple[Float[Array, "*space"], Float[Array, "*space"]]:
    r"""Return STRExp (L), $\frac1n \sum_c A_c$, and STRExp (GL), $\frac{1}{n+1} (\sum A_c + A_g)$.

    The first map is the global one, and those beyond `length` characters are 0. For a method that
    is linear in the score (Shapley values, ablation, integrated gradients) the first is the map of
    the mean of the characters' scores.

    Ty and Atienza (2023), ICIP, doi:10.1109/ICIP49359.2023.10222870, as in the released code.
    """
    count = jnp.asarray(length, maps.dtype)
    return maps[1:].sum(0) / count, maps.sum(0) / (count + 1)
