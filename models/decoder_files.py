"""Decoders from GGUF files and from folders of Hugging Face."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from salix.models.checkpoints.errors import existing_file, input_errors
from salix.models.checkpoints.formats import read
from salix.models.checkpoints.gguf import GGUFFile, read_gguf
from salix.models.checkpoints.module_state import filled
from salix.models.checkpoints.naming import NamedArrays
from salix.models.decoder import LAYER, Decoder, DecoderConfig
from salix.typing import InputError

__all__ = ["load_decoder"]

_DAMAGE = (KeyError, TypeError, ValueError, ZeroDivisionError)
_PLACES = {"norm1": "attn_norm", "query": "attn_q", "key": "attn_k", "value": "attn_v"}
_PLACES |= {"out": "attn_output", "norm2": "ffn_norm"}
_PLACES |= {n: f"ffn_{n}" for n in ("gate", "up", "down")}
_GGUF = {ours: f"blk.{{}}.{theirs}.weight" for ours, theirs in _PLACES.items()}
_GGUF |= {"words": "token_embd.weight", "norm": "output_norm.weight", "head": "output.weight"}
_PLACES = {"norm1": "input_layernorm", "norm2": "post_attention_layernorm"}
_PLACES |= {n: f"self_attn.{n[0]}_proj" for n in ("query", "key", "value", "out")}
_PLACES |= {n: f"mlp.{n}_proj" for n in ("gate", "up", "down")}
_HF = {ours: f"model.layers.{{}}.{theirs}.weight" for ours, theirs in _PLACES.items()}
_HF |= {"words": "model.embed_tokens.weight", "norm": "model.norm.weight"}
_HF |= {"head": "lm_head.weight"}
_IGNORED = ("rope_freqs.weight", "rotary_emb.inv_freq")  # of a file: follow from the configuration


def load_decoder(path: str | Path) -> Decoder:
    """Return the decoder in a GGUF file or in a folder with config.json and safetensors.

    The architecture is that of LLaMA (SmolLM, Vicuna, Alpaca and others). Raises InputError for
    another architecture, for scaled rotary positions and for weights that do not fit.
    """
    path = Path(path)
    if path.is_dir():
        file = existing_file(path / "config.json")
        with input_errors(file, "the configuration of a decoder", OSError, *_DAMAGE):
            config = _folder_config(json.loads(file.read_bytes()))
        return _build(path, config, read(path), _HF, lambda matrix, _: matrix)
    return decoder_of_gguf(path, read_gguf(path))


def decoder_of_gguf(path: Path, file: GGUFFile) -> Decoder:
    """Return the decoder of a GGUF file that is read."""
    with input_errors(path, "a GGUF file of a decoder", *_DAMAGE):
        config = _gguf_config(file.metadata, file.arrays)
    return _build(path, config, file.arrays, _GGUF, unpermute)


def unpermute(matrix: np.ndarray, heads: int) -> np.ndarray:
    """Return the rows of a query or key matrix in the order of halves.

    GGUF files of this family store the rows of each head in the order 0, d/2, 1, d/2 + 1, ..., for
    rotations of neighbouring pairs.
    """
    paired = matrix.reshape(heads, -1, 2, matrix.shape[-1])
    return paired.swapaxes(1, 2).reshape(matrix.shape)


def _gguf_config(metadata: Mapping[str, Any], arrays: Mapping[str, Any]) -> DecoderConfig:
    family = metadata.get("general.architecture")
    if family != "llama":
        raise InputError(f"has the architecture {family!r}: decoders of 'llama' are read")
    if metadata.get("llama.rope.scaling.type", "none") != "none" or "rope_freqs.weight" in arrays:
        raise InputError("has scaled rotary positions, not supported")
    values = {k.removeprefix("llama."): v for k, v in metadata.items() if k.startswith("llama.")}
    heads = values["attention.head_count"]
    return DecoderConfig(
        vocabulary=len(arrays["token_embd.weight"]),
        width=values["embedding_length"],
        depth=values["block_count"],
        heads=heads,
        groups=values.get("attention.head_count_kv", heads),
        head_width=values.get("attention.key_length", values["embedding_length"] // heads),
        hidden=values["feed_forward_length"],
        context=values["context_length"],
        base=values.get("rope.freq_base", 1e4),
        epsilon=values["attention.layer_norm_rms_epsilon"],
        tied="output.weight" not in arrays,
    )


def _folder_config(settings: Mapping[str, Any]) -> DecoderConfig:
    family = settings.get("model_type")
    if family != "llama":
        raise InputError(f"model_type is {family!r}: decoders of 'llama' are read")
    if settings.get("rope_scaling") is not None or settings.get("attention_bias"):
        raise InputError("has scaled rotary positions or biases of attention, not supported")
    heads = settings["num_attention_heads"]
    return DecoderConfig(
        vocabulary=settings["vocab_size"],
        width=settings["hidden_size"],
        depth=settings["num_hidden_layers"],
        heads=heads,
        groups=settings.get("num_key_value_heads", heads),
        head_width=settings.get("head_dim") or settings["hidden_size"] // heads,
        hidden=settings["intermediate_size"],
        context=settings["max_position_embeddings"],
        base=settings.get("rope_theta", 1e4),
        epsilon=settings["rms_norm_eps"],
        tied=settings.get("tie_word_embeddings", False),
    )


def _build(
    path: Path,
    config: DecoderConfig,
    arrays: Mapping[str, np.ndarray],
    names: Mapping[str, str],
    order: Callable[[np.ndarray, int], np.ndarray],
) -> Decoder:
    used: set[str] = set()

    def matrix(name: str, theirs: str) -> np.ndarray:
        if theirs not in arrays:
            raise InputError(f"{path} lacks {theirs}, a weight of a decoder of this size")
        used.add(theirs)
        array = arrays[theirs]
        if name in ("query", "key"):
            array = order(array, config.heads if name == "query" else config.groups)
        return array.T if array.ndim == 2 and name != "words" else array

    weights: NamedArrays = {}
    for name in config.shapes():
        if name in LAYER:
            layers = [matrix(name, names[name].format(i)) for i in range(config.depth)]
            weights[name] = np.stack(layers).astype(np.float32)
        else:
            weights[name] = np.asarray(matrix(name, names[name]), np.float32)
    unknown = [n for n in arrays if n not in used and not n.endswith(_IGNORED)]
    if config.tied:  # some files repeat the table
        unknown = [n for n in unknown if n != names["head"]]
    if unknown:
        raise InputError(f"{path} has weights that are no part of a decoder: {unknown[0]}")
    return filled(lambda rngs: Decoder(config, rngs=rngs), weights, path, "a decoder")
