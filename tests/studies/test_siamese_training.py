"""Training for the shifted similarity: agreement with the encoder before it, and the command."""

import jax
import numpy as np
import pytest
from flax import nnx
from jax import numpy as jnp

from salix.cli import main
from salix.models import TextEncoder, TextEncoderConfig, Tokenizer
from salix.studies.siamese.sentences import SentenceEncoder
from salix.studies.siamese.training import encode_pairs, shifted_cosines, train_shifted
from salix.typing import InputError
from tests.studies.test_siamese_sentences import WordPieces

CONFIG = TextEncoderConfig(
    width=8, depth=1, heads=2, hidden=12, vocabulary=40, positions=32, epsilon=1e-3
)
WORDS = ["a", "cat", "dog", "sat", "ran", "mat", "park", "sun", "red", "old"]


def drawn(count):
    rng = np.random.default_rng(0)
    return [tuple(" ".join(rng.choice(WORDS, 5)) for _ in range(2)) for _ in range(count)]


@pytest.fixture
def encoder():
    module = TextEncoder(CONFIG, rngs=nnx.Rngs(0))
    module.words.set_value(30 * module.words[...])  # sentences that differ
    return SentenceEncoder(module, Tokenizer(WordPieces(), 0, 32, 3), "small")


def test_pairs_of_long_sentences_are_left_out(encoder):
    sentences = encode_pairs(encoder, [("a cat", "a b c d"), ("a", "the dog")], 5)
    np.testing.assert_array_equal(sentences.mask.sum(1), [3, 4])
    assert sentences.references[1].tolist() == [1, 0, 0, 2, 0]
    with pytest.raises(InputError, match="1 pairs have at most 5 tokens a side: give 8"):
        train_shifted(encoder, [("a", "the dog")], length=5)


@pytest.mark.slow
@jax.numpy_dtype_promotion("standard")  # schedules of optax mix numbers of steps and rates
def test_the_shifted_similarity_approaches_that_before_the_training(encoder):
    train, held = drawn(60), drawn(80)[60:]

    def error(module):
        arrays = encode_pairs(encoder, held, 16)
        e = encoder.encoder(arrays.ids, arrays.mask)
        e = e / jnp.linalg.norm(e, axis=1, keepdims=True)
        values = shifted_cosines(module.encoder, arrays.ids, arrays.references, arrays.mask)
        return float(jnp.abs(values - e @ e.T).mean())

    before = error(encoder)
    trained = train_shifted(encoder, train, steps=150, length=16, rate=3e-3)
    assert error(trained) < before / 2
    again = train_shifted(encoder, train, steps=2, length=16, rate=3e-3)
    assert error(encoder) == before  # the encoder itself is unchanged
    assert error(again) == error(train_shifted(encoder, train, steps=2, length=16, rate=3e-3))


def test_the_command_refuses_a_training_that_it_cannot_write(tmp_path, capsys):
    for arguments, message in [
        (["--train", "a.tsv"], "--train goes with --out, a new folder"),
        (["a", "--train", "a.tsv", "--out", "b"], "without items to explain"),
        (["--train", "a.tsv", "--out", str(tmp_path)], "exists: name a new folder"),
        (["--train", "a.tsv", "--out", "b", "--train-steps", "0"], "--train-steps is 0"),
    ]:
        assert main(["similar", *arguments]) == 2
        assert message in capsys.readouterr().err
