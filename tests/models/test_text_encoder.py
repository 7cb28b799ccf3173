"""Text encoders against a slow NumPy version of the papers, and on published weights."""

import json
from math import erf

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from salix.models import load_text_encoder, load_tokenizer, save_text_encoder
from salix.typing import InputError

WIDTH, HEADS, HIDDEN, DEPTH, VOCABULARY, POSITIONS = 12, 3, 20, 2, 30, 40
SETTINGS = {
    "hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS,
    "intermediate_size": HIDDEN, "vocab_size": VOCABULARY, "max_position_embeddings": POSITIONS,
    "hidden_act": "gelu", "layer_norm_eps": 1e-6, "type_vocab_size": 2, "pad_token_id": 1,
}  # fmt: skip
NAMES = {
    "bert": "attention.self.query attention.self.key attention.self.value attention.output.dense "
    "attention.output.LayerNorm intermediate.dense output.dense output.LayerNorm",
    "mpnet": "attention.attn.q attention.attn.k attention.attn.v attention.attn.o "
    "attention.LayerNorm intermediate.dense output.dense output.LayerNorm",
}


def drawn(family):
    """Random arrays under the names of Hugging Face."""
    rng = np.random.default_rng(0)
    sizes = [(WIDTH, WIDTH)] * 4 + [(WIDTH,), (HIDDEN, WIDTH), (WIDTH, HIDDEN), (WIDTH,)]
    shapes = {
        "embeddings.word_embeddings.weight": (VOCABULARY, WIDTH),
        "embeddings.position_embeddings.weight": (POSITIONS, WIDTH),
        "embeddings.LayerNorm.weight": (WIDTH,),
        "embeddings.LayerNorm.bias": (WIDTH,),
    }
    if family == "mpnet":
        shapes["encoder.relative_attention_bias.weight"] = (32, HEADS)
    else:
        shapes["embeddings.token_type_embeddings.weight"] = (2, WIDTH)
    for i in range(DEPTH):
        for name, shape in zip(NAMES.get(family, NAMES["bert"]).split(), sizes, strict=True):
            shapes[f"encoder.layer.{i}.{name}.weight"] = shape
            shapes[f"encoder.layer.{i}.{name}.bias"] = shape[:1]
    shapes["pooler.dense.weight"] = (WIDTH, WIDTH)
    return {n: 0.5 * rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}


def write(folder, family, arrays, prefix="", **settings):
    folder.mkdir(exist_ok=True)
    save_file({prefix + n: a for n, a in arrays.items()}, folder / "model.safetensors")
    text = json.dumps({**SETTINGS, "model_type": family, **settings})
    (folder / "config.json").write_text(text)
    return folder


def norm(x, weight, bias):
    centred = x - x.mean(-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-6) * weight + bias


def bucket(query, key):
    """Bucket of a relative position (Raffel et al., 2020), pair by pair."""
    far = 16 if key > query else 0
    size = abs(key - query)
    if size < 8:
        return far + size
    return far + min(15, 8 + int(np.log(size / 8) / np.log(128 / 8) * 8))


def slow(family, w, ids):
    """Embedding of one sentence without padding, head by head, in float64."""
    w = {n: a.astype(np.float64) for n, a in w.items()}
    q, k, v, o, norm1, wide, narrow, norm2 = NAMES.get(family, NAMES["bert"]).split()
    places = np.arange(len(ids)) + (0 if family == "bert" else 2)
    h = w["embeddings.word_embeddings.weight"][ids]
    h = h + w["embeddings.position_embeddings.weight"][places]
    if family != "mpnet":
        h = h + w["embeddings.token_type_embeddings.weight"][0]
    h = norm(h, w["embeddings.LayerNorm.weight"], w["embeddings.LayerNorm.bias"])
    for i in range(DEPTH):

        def dense(x, name, i=i):
            at = f"encoder.layer.{i}.{name}"
            return x @ w[f"{at}.weight"].T + w[f"{at}.bias"]

        heads = []
        for j in range(HEADS):
            part = slice(j * WIDTH // HEADS, (j + 1) * WIDTH // HEADS)
            products = dense(h, q)[:, part] @ dense(h, k)[:, part].T / np.sqrt(WIDTH / HEADS)
            if family == "mpnet":
                table = w["encoder.relative_attention_bias.weight"][:, j]
                n = range(len(ids))
                products = products + [[table[bucket(a, b)] for b in n] for a in n]
            powers = np.exp(products)
            heads.append(powers / powers.sum(1, keepdims=True) @ dense(h, v)[:, part])
        layer = f"encoder.layer.{i}."
        h = h + dense(np.concatenate(heads, 1), o)
        h = norm(h, w[f"{layer}{norm1}.weight"], w[f"{layer}{norm1}.bias"])
        wider = dense(h, wide)
        gelu = wider * (1 + np.vectorize(erf)(wider / np.sqrt(2))) / 2
        h = norm(h + dense(gelu, narrow), w[f"{layer}{norm2}.weight"], w[f"{layer}{norm2}.bias"])
    return h


@pytest.mark.parametrize(
    ("family", "prefix"), [("bert", ""), ("roberta", "roberta."), ("mpnet", "mpnet.")]
)
def test_an_encoder_equals_a_slow_one_and_padding_has_no_influence(family, prefix, tmp_path):
    arrays = drawn(family)
    encoder = load_text_encoder(write(tmp_path / "e", family, arrays, prefix))
    ids = np.random.default_rng(1).integers(0, VOCABULARY, (2, 36))
    mask = np.ones(ids.shape, bool)
    mask[1, 20:] = False
    slow_tokens = [slow(family, arrays, ids[0]), slow(family, arrays, ids[1, :20])]

    @jax.jit
    def embed(ids, mask):
        return encoder(ids, mask), encoder.embed(encoder.layer(ids, mask, 1), mask, 1)

    embeddings, from_layer_one = embed(ids, mask)
    np.testing.assert_allclose(embeddings[0], slow_tokens[0].mean(0), atol=2e-5)
    np.testing.assert_allclose(embeddings[1], slow_tokens[1].mean(0), atol=2e-5)
    np.testing.assert_allclose(from_layer_one, embeddings, atol=1e-6)


@pytest.mark.parametrize("family", ["bert", "mpnet"])
def test_a_saved_encoder_is_read_again(family, tmp_path):
    source = write(tmp_path / "a", family, drawn(family))
    encoder = load_text_encoder(source)
    save_text_encoder(encoder, tmp_path / "b", source)
    own, again = (nnx.state(e) for e in (encoder, load_text_encoder(tmp_path / "b")))
    assert jax.tree.all(jax.tree.map(np.array_equal, own, again))
    with pytest.raises(InputError, match="b exists: name a new folder"):
        save_text_encoder(encoder, tmp_path / "b", source)


def test_the_first_token_is_pooled_where_the_folder_says_so(tmp_path):
    arrays = drawn("bert")
    folder = write(tmp_path / "e", "bert", arrays)
    (folder / "1_Pooling").mkdir()
    pooling = {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    ids = np.arange(5)[None]
    encoder = load_text_encoder(folder)
    embedding = jax.jit(lambda i: encoder(i, np.ones((1, 5), bool)))(ids)
    np.testing.assert_allclose(embedding[0], slow("bert", arrays, ids[0])[0], atol=2e-5)


def test_unusable_folders_are_refused_by_name(tmp_path):
    arrays = drawn("bert")
    with pytest.raises(InputError, match=r"config.json: no such file"):
        load_text_encoder(tmp_path)
    with pytest.raises(InputError, match="model_type is 'gpt2': text encoders are read of"):
        load_text_encoder(write(tmp_path / "a", "gpt2", arrays))
    with pytest.raises(InputError, match=r"does not fit bert: .*misshaped"):
        load_text_encoder(write(tmp_path / "b", "bert", arrays, vocab_size=31))
    folder = write(tmp_path / "c", "bert", arrays)
    (folder / "modules.json").write_text(json.dumps([{"type": "sentence_transformers.Dense"}]))
    with pytest.raises(InputError, match="has the module Dense, not supported"):
        load_text_encoder(folder)
    with pytest.raises(InputError, match=r"has no tokenizer.json: give a folder with"):
        load_tokenizer(folder, 10)


def test_a_missing_tokenizers_package_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "tokenizer.json").write_text("{}")
    monkeypatch.setitem(__import__("sys").modules, "tokenizers", None)
    with pytest.raises(InputError, match=r"pip install 'salix\[text\]'"):
        load_tokenizer(tmp_path, 10)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    """WordPiece tokenizer of a few words, with special tokens at both ends."""
    tokenizers = pytest.importorskip("tokenizers")
    folder = tmp_path_factory.mktemp("tokenizer")
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "cat", "sat", "##ting", "."]
    fast = tokenizers.Tokenizer(
        tokenizers.models.WordPiece({w: i for i, w in enumerate(vocabulary)}, unk_token="[UNK]")
    )
    fast.normalizer = tokenizers.normalizers.BertNormalizer()
    fast.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    fast.post_processor = tokenizers.processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    fast.enable_padding(length=20)  # as a file may say
    fast.save(str(folder / "tokenizer.json"))
    return load_tokenizer(folder, 8)


def test_a_sentence_has_tokens_words_and_special_ones(tokenizer):
    sentence = tokenizer("A cat sitting?")
    assert sentence.tokens == ("[CLS]", "a", "cat", "[UNK]", "[UNK]", "[SEP]")
    assert sentence.word_texts == ("A", "cat", "sitting [UNK]", "? [UNK]")
    sentence = tokenizer("A satting cat.")
    assert sentence.ids.tolist() == [2, 4, 6, 7, 5, 8, 3]
    assert sentence.words.tolist() == [-1, 0, 1, 1, 2, 3, -1]
    assert sentence.word_texts == ("A", "satting", "cat", ".")
    assert sentence.word_spans.tolist() == [[0, 1], [2, 9], [10, 13], [13, 14]]
    assert sentence.special.tolist() == [True, *[False] * 5, True]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (" \n", r"the text ' \\n' has no words"),
        ("cat " * 7, "has 9 tokens, the encoder reads 8"),
        ("a \udce4 cat", r"has '\\udce4', which is no character: give UTF-8"),
    ],
)
def test_unusable_texts_are_refused(tokenizer, text, message):
    with pytest.raises(InputError, match=message):
        tokenizer(text)


@pytest.mark.assets
@pytest.mark.slow
def test_minilm_has_the_embeddings_of_transformers(asset):
    pytest.importorskip("tokenizers")
    folder = asset("minilm")
    encoder = load_text_encoder(folder)
    sentence = load_tokenizer(folder, 512)("The dog chased the unbelievably fluffy cat.")
    embedding = encoder(sentence.ids[None], np.ones((1, len(sentence.ids)), bool))[0]
    # BertModel of transformers 5 with PyTorch 2.13, the mean of its 14 tokens
    recorded = [0.168638319, 0.292239010, 0.155220315, 0.379292995]
    np.testing.assert_allclose(embedding[:4], recorded, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(embedding), 4.9364924, rtol=1e-6)
