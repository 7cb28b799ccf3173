"""Decoders, GGUF files and their tokenizers against slow NumPy versions, and on real weights."""

import json
import struct

import jax
import numpy as np
import pytest
from flax import nnx
from safetensors.numpy import save_file

from salix.models import load_decoder, load_language_model
from salix.models.checkpoints.gguf import read_gguf
from salix.models.decoder import KeyValueCache
from salix.typing import InputError

WIDTH, HEADS, GROUPS, HIDDEN, DEPTH, CONTEXT = 32, 4, 2, 64, 2, 24
WORDS = [*"abcdefgh", "Ġ", "Ġa", "ab", "<end>", "<start>", "i", "j", "k"]
MERGES = ["Ġ a", "a b"]
SIZES = {
    "attn_norm": (WIDTH,), "attn_q": (WIDTH, WIDTH), "attn_k": (WIDTH // 2, WIDTH),
    "attn_v": (WIDTH // 2, WIDTH), "attn_output": (WIDTH, WIDTH), "ffn_norm": (WIDTH,),
    "ffn_gate": (HIDDEN, WIDTH), "ffn_up": (HIDDEN, WIDTH), "ffn_down": (WIDTH, HIDDEN),
}  # fmt: skip
HF = dict(zip(SIZES, [
    "input_layernorm", *(f"self_attn.{n}_proj" for n in "qkvo"), "post_attention_layernorm",
    *(f"mlp.{n}_proj" for n in ("gate", "up", "down")),
], strict=True))  # fmt: skip


def drawn():
    """Random weights under the names of GGUF files, in single precision."""
    rng = np.random.default_rng(0)
    shapes = {"token_embd.weight": (len(WORDS), WIDTH), "output_norm.weight": (WIDTH,)}
    for i in range(DEPTH):
        shapes |= {f"blk.{i}.{name}.weight": size for name, size in SIZES.items()}
    return {n: 0.4 * rng.standard_normal(s).astype(np.float32) for n, s in shapes.items()}


def text(value):
    return struct.pack("<Q", len(value.encode())) + value.encode()


def packed(value):
    """A value with its type, as in the metadata of a GGUF file."""
    if isinstance(value, bool):
        return struct.pack("<I?", 7, value)
    if isinstance(value, int):
        return struct.pack("<II", 4, value)
    if isinstance(value, float):
        return struct.pack("<If", 6, value)
    if isinstance(value, str):
        return struct.pack("<I", 8) + text(value)
    if isinstance(value[0], int):
        return struct.pack(f"<IIQ{len(value)}i", 9, 5, len(value), *value)
    return struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))


def gguf(path, tensors, version=3, **metadata):
    """Write a GGUF file of tensors (shape, type, bytes)."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(metadata))
    head += b"".join(text(k) + packed(v) for k, v in metadata.items())
    data = b""
    for name, (shape, kind, raw) in tensors.items():
        head += text(name) + struct.pack(f"<I{len(shape)}Q", len(shape), *shape[::-1])
        head += struct.pack("<IQ", kind, len(data))
        data += raw + bytes(-len(raw) % 32)
    path.write_bytes(head + bytes(-len(head) % 32) + data)
    return path


METADATA = {
    "general.architecture": "llama", "llama.block_count": DEPTH, "llama.context_length": CONTEXT,
    "llama.embedding_length": WIDTH, "llama.feed_forward_length": HIDDEN,
    "llama.attention.head_count": HEADS, "llama.attention.head_count_kv": GROUPS,
    "llama.rope.freq_base": 100.0, "llama.attention.layer_norm_rms_epsilon": 0.01,
    "tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "smollm", "tokenizer.ggml.tokens": WORDS,
    "tokenizer.ggml.merges": MERGES, "tokenizer.ggml.eos_token_id": 11,
    "tokenizer.ggml.token_type": [3 if w.startswith("<") else 1 for w in WORDS],
}  # fmt: skip


def write(path, arrays, **metadata):
    tensors = {n: (a.shape, 0, a.tobytes()) for n, a in arrays.items()}
    return gguf(path, tensors, **METADATA | metadata)


def slow_logits(w, ids, heads, groups, base, epsilon, depth):
    """Logits of the weights as GGUF files store them, for rotations of neighbours, in float64."""
    w = {name: array.astype(np.float64) for name, array in w.items()}
    n, size = len(ids), w["blk.0.attn_q.weight"].shape[0] // heads
    angles = np.arange(n)[:, None] * base ** (-np.arange(size // 2) / (size // 2))

    def norm(x, gain):
        return x / np.sqrt((x**2).mean(-1, keepdims=True) + epsilon) * gain

    def rotate(x):
        turned = (x[:, ::2] + 1j * x[:, 1::2]) * np.exp(1j * angles)
        return np.stack([turned.real, turned.imag], -1).reshape(x.shape)

    h = w["token_embd.weight"][ids]
    for i in range(depth):
        p = {name: w[f"blk.{i}.{name}.weight"] for name in SIZES}
        x = norm(h, p["attn_norm"])
        q, k, v = (x @ p[f"attn_{name}"].T for name in "qkv")
        mixed = []
        for head in range(heads):
            own, shared = (slice(size * j, size * (j + 1)) for j in (head, head * groups // heads))
            scores = rotate(q[:, own]) @ rotate(k[:, shared]).T / np.sqrt(size)
            scores = np.where(np.tri(n, dtype=bool), scores, -np.inf)
            powers = np.exp(scores - scores.max(-1, keepdims=True))
            mixed.append(powers / powers.sum(-1, keepdims=True) @ v[:, shared])
        h = h + np.concatenate(mixed, -1) @ p["attn_output"].T
        x = norm(h, p["ffn_norm"])
        gate = x @ p["ffn_gate"].T
        h = h + (gate / (1 + np.exp(-gate)) * (x @ p["ffn_up"].T)) @ p["ffn_down"].T
    return norm(h, w["output_norm.weight"]) @ w["token_embd.weight"].T


def expected(ids):
    return slow_logits(drawn(), ids, HEADS, GROUPS, 100.0, 0.01, DEPTH)


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return write(tmp_path_factory.mktemp("gguf") / "tiny.gguf", drawn())


def test_logits_are_those_of_numpy_and_a_cache_changes_nothing(file):
    ids = np.array([0, 3, 9, 10, 1, 15, 2])
    graph, params = nnx.split(load_decoder(file))

    @jax.jit
    def both(params, ids):
        decoder = nnx.merge(graph, params)
        tokens, shape = decoder.embed(ids), (DEPTH, 9, GROUPS, WIDTH // HEADS)
        cache = KeyValueCache(*2 * (jax.numpy.ones(shape),))
        first, cache = decoder.extend(tokens[:4], cache, 0)
        second, _ = decoder.extend(tokens[4:], cache, 4)
        return decoder(ids), decoder.logits(jax.numpy.concatenate([first, second]))

    logits = expected(ids)
    for result in both(params, ids):
        np.testing.assert_allclose(result, logits, atol=1e-4 * np.abs(logits).max())


@pytest.mark.slow
def test_greedy_answers_are_those_of_numpy(file):
    model = load_language_model(file)
    prompt = model.tokenizer("<start>ab abc")
    assert prompt.tokens == ("<start>", "ab", " a", "b", "c")
    np.testing.assert_array_equal(prompt.ranges, [[0, 7], [7, 9], [9, 11], [11, 12], [12, 13]])
    np.testing.assert_array_equal(prompt.overlapping(8, 11), [1, 2])
    ids = list(prompt.ids)
    for _ in range(4):
        ids.append(int(np.argmax(expected(np.array(ids))[-1])))
    np.testing.assert_array_equal(model.answer(prompt.ids, tokens=4), ids[5:])
    with pytest.raises(InputError, match="22 tokens, and 4 are to be answered: tiny reads 24"):
        model.answer(np.zeros(22, int), tokens=4)


@pytest.mark.slow
def test_folders_of_hugging_face_are_read(tmp_path):
    arrays, names = drawn(), {"token_embd": "model.embed_tokens", "output_norm": "model.norm"}
    stored = {}
    for name, array in arrays.items():
        parts = name.removesuffix(".weight").split(".")
        theirs = f"model.layers.{parts[1]}.{HF[parts[2]]}" if parts[0] == "blk" else names[parts[0]]
        if parts[-1] in ("attn_q", "attn_k"):  # halves, as transformers stores them
            heads = HEADS if parts[-1] == "attn_q" else GROUPS
            halves = [np.concatenate([h[::2], h[1::2]]) for h in np.split(array, heads)]
            array = np.concatenate(halves)
        stored[f"{theirs}.weight"] = array
    save_file(stored, tmp_path / "model.safetensors")
    settings = {
        "model_type": "llama", "vocab_size": len(WORDS), "hidden_size": WIDTH, "rope_theta": 100,
        "num_hidden_layers": DEPTH, "num_attention_heads": HEADS, "num_key_value_heads": GROUPS,
        "intermediate_size": HIDDEN, "max_position_embeddings": CONTEXT, "rms_norm_eps": 0.01,
        "tie_word_embeddings": True,
    }  # fmt: skip
    (tmp_path / "config.json").write_text(json.dumps(settings))
    ids = np.array([4, 1, 2])
    logits = expected(ids)
    result = load_decoder(tmp_path)(ids)
    np.testing.assert_allclose(result, logits, atol=1e-4 * np.abs(logits).max())


def test_blocks_of_quantised_numbers(tmp_path):
    half = {v: struct.pack("<e", v) for v in (0.5, -2.0)}
    nibbles = bytes(i | (15 - i) << 4 for i in range(16))  # 0 to 15, then 15 to 0
    signed = np.arange(-16, 16, dtype=np.int8)
    tensors = {
        "f32": ((2, 2), 0, np.float32([[1, 2], [3, 4]]).tobytes()),
        "f16": ((3,), 1, np.float16([1, 2, -0.5]).tobytes()),
        "q8_0": ((1, 32), 8, half[0.5] + signed.tobytes()),
        "q4_0": ((1, 32), 2, half[0.5] + nibbles),
        "q4_1": ((1, 32), 3, half[0.5] + half[-2.0] + nibbles),
    }
    arrays = read_gguf(gguf(tmp_path / "a.gguf", tensors)).arrays
    steps = np.r_[0:16, 15:-1:-1][None]
    np.testing.assert_array_equal(arrays["f32"], [[1, 2], [3, 4]])
    np.testing.assert_array_equal(arrays["f16"], [1, 2, -0.5])
    np.testing.assert_array_equal(arrays["q8_0"], signed[None] / 2)
    np.testing.assert_array_equal(arrays["q4_0"], (steps - 8) / 2)
    np.testing.assert_array_equal(arrays["q4_1"], steps / 2 - 2)


WEIGHT = ((1, 32), 0, bytes(128))


@pytest.mark.parametrize(
    ("tensors", "metadata", "message"),
    [
        ({"a": ((1, 256), 12, bytes(144))}, {}, "has a of the type Q4_K, not supported: .*Q8_0"),
        ({"a": ((1, 32), 99, b"")}, {}, "of the type of number 99"),
        ({"a": ((2, 16), 8, bytes(34))}, {}, "no multiple of a block"),
        ({"a": ((9, 32), 0, bytes(64))}, {}, "is truncated"),
        ({"a": WEIGHT}, {"version": 1}, "version 1: versions 2 and 3 are read"),
        ({"a": WEIGHT}, {"general.architecture": "gemma"}, "architecture 'gemma'"),
        ({"token_embd.weight": WEIGHT}, {}, "lacks blk.0.attn_norm.weight"),
        (None, {"extra": True}, "no part of a decoder: extra"),
        (None, {"tokenizer.ggml.add_bos_token": True}, r"\(BOS\) and names none"),
        (None, {"tokenizer.ggml.model": "llama"}, "tokenizer 'llama' .* folder with tokenizer"),
    ],
)
def test_unusable_files_are_refused(tmp_path, tensors, metadata, message):
    if tensors is None:
        arrays = drawn() | ({"extra": np.ones(2, np.float32)} if "extra" in metadata else {})
        tensors = {n: (a.shape, 0, a.tobytes()) for n, a in arrays.items()}
    path = gguf(tmp_path / "a.gguf", tensors, **METADATA | metadata)
    with pytest.raises(InputError, match=message):
        load_language_model(path)


@pytest.mark.parametrize(("data", "message"), [(b"GGML", "no GGUF file"), (b"GGUF", "truncated")])
def test_other_bytes_are_no_gguf_file(tmp_path, data, message):
    (tmp_path / "a.gguf").write_bytes(data)
    with pytest.raises(InputError, match=message):
        read_gguf(tmp_path / "a.gguf")


def test_a_chat_template_surrounds_the_text(tmp_path):
    template = "{% for m in messages %}<start>{{ m.role }}\n{{ m.content }}{% endfor %}<end>"
    model = load_language_model(
        write(tmp_path / "a.gguf", drawn(), **{"tokenizer.chat_template": template})
    )
    assert model.tokenizer.conversation("ab") == "<start>user\nab<end>"
    with pytest.raises(InputError, match="the prompt is empty"):
        model.tokenizer("")
    with pytest.raises(InputError, match="no chat template"):
        load_language_model(write(tmp_path / "b.gguf", drawn())).tokenizer.conversation("ab")


@pytest.mark.assets
@pytest.mark.slow
def test_smollm2_has_the_logits_of_numpy(asset):
    path = asset("smollm2")
    file, model = read_gguf(path), load_language_model(path)
    # The first block of Q4_1, decoded by gguf 0.19
    first = file.arrays["blk.0.attn_q.weight"][0, :4]
    np.testing.assert_allclose(first, [-0.0963134766, 0.157348633, -0.0963134766, -0.73046875])
    ids = model.tokenizer("The capital of France is").ids
    logits = slow_logits(file.arrays, ids, 9, 3, 1e5, 1e-5, 30)
    result = np.asarray(model.decoder(ids))
    np.testing.assert_allclose(result, logits, atol=1e-5 * np.abs(logits).max())
    assert model.tokenizer.decode([int(result[-1].argmax())]) == " Paris"
