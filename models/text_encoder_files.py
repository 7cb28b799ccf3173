"""Text encoders from folders of weights: sizes in config.json, names of the arrays."""

import json
import shutil
from pathlib import Path
from typing import Any

from flax import nnx

from salix.models.checkpoints.errors import existing_file, input_errors, printable
from salix.models.checkpoints.formats import read
from salix.models.checkpoints.module_state import WEIGHTS, arrays, expected, filled
from salix.models.checkpoints.naming import Layout, Shapes, WeightTable, convert, dense, same
from salix.models.checkpoints.safetensors import write_safetensors
from salix.models.text_encoder import TextEncoder, TextEncoderConfig
from salix.models.transformer_config import gelu, tanh_gelu
from salix.typing import InputError

__all__ = ["check_new_folder", "load_text_encoder", "save_text_encoder"]

LIMIT = 1 << 20  # bytes of a configuration
FAMILIES = ("bert", "roberta", "xlm-roberta", "mpnet")
ACTIVATIONS = {"gelu": gelu, "gelu_new": tanh_gelu, "gelu_pytorch_tanh": tanh_gelu}
MODULES = ("Transformer", "Pooling", "Normalize")
POOLS = {"pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "first"}
_DAMAGE = (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError)

_BERT = {
    "attention.query": "attention.self.query",
    "attention.key": "attention.self.key",
    "attention.value": "attention.self.value",
    "attention.out": "attention.output.dense",
    "norm1": "attention.output.LayerNorm",
    "wide": "intermediate.dense",
    "narrow": "output.dense",
    "norm2": "output.LayerNorm",
}
_ATTENTION = {"query": "q", "key": "k", "value": "v", "out": "o"}
_MPNET = _BERT | {f"attention.{o}": f"attention.attn.{t}" for o, t in _ATTENTION.items()}
_MPNET["norm1"] = "attention.LayerNorm"
_TABLES = {
    "words": "embeddings.word_embeddings",
    "positions": "embeddings.position_embeddings",
    "types": "embeddings.token_type_embeddings",
    "relative": "encoder.relative_attention_bias",
}
_PARTS = {"kernel": "weight", "scale": "weight", "bias": "bias"}
_COPIED = ("config.json", "tokenizer.json", "modules.json", "1_Pooling/config.json")
_OUTSIDE = ("pooler.", "embeddings.position_ids")  # of a file, no part of an embedding
_PREFIXES = ("", *(f"{name}." for name in ("bert", "roberta", "mpnet")))


def load_text_encoder(folder: str | Path) -> TextEncoder:
    """Return the text encoder in a folder of Hugging Face, in evaluation.

    The folder has config.json and model.safetensors (or pytorch_model.bin, of which nothing is
    run), as that of `salix.data.assets.fetch("minilm")`. Where it has those of
    sentence-transformers, modules.json and 1_Pooling/config.json, they name the pooling; without
    them it is the mean. Raises InputError for another architecture, and for weights that do not
    fit.
    """
    folder = Path(folder)
    settings = _read_json(folder / "config.json")
    family = settings.get("model_type")
    if family not in FAMILIES:
        raise InputError(
            f"{folder / 'config.json'}: model_type is {family!r}: text encoders are read of the "
            f"types {', '.join(FAMILIES)}"
        )
    with input_errors(folder / "config.json", "the configuration of a text encoder", *_DAMAGE):
        config = _config(settings, family, _pool(folder))

    def build(rngs: nnx.Rngs) -> TextEncoder:
        return TextEncoder(config, rngs=rngs)

    stored = read(folder)
    prefix = next((p for p in _PREFIXES if f"{p}embeddings.word_embeddings.weight" in stored), "")
    inner = {name.removeprefix(prefix): array for name, array in stored.items()}
    inner = {name: array for name, array in inner.items() if not name.startswith(_OUTSIDE)}
    table = _table(expected(build), _MPNET if family == "mpnet" else _BERT)
    return filled(build, convert(table, inner), folder, family)


def check_new_folder(folder: Path) -> None:
    """Raise InputError for a folder of an encoder that exists."""
    if folder.exists():
        raise InputError(f"{folder} exists: name a new folder for the encoder")


def save_text_encoder(encoder: TextEncoder, folder: str | Path, source: str | Path) -> None:
    """Write the weights of an encoder as a folder that `load_text_encoder` reads.

    `source` is the folder that the encoder was read from: its configuration and its tokenizer are
    copied. Raises InputError for a folder that exists.
    """
    folder, source = Path(folder), Path(source)
    check_new_folder(folder)
    family = _read_json(source / "config.json")["model_type"]
    own = arrays(nnx.state(encoder, WEIGHTS))
    shapes = expected(lambda rngs: TextEncoder(encoder.config, rngs=rngs))
    table = _table(shapes, _MPNET if family == "mpnet" else _BERT)
    named = {theirs: layout(own[n]) for n, (theirs, layout) in table.items()}
    folder.mkdir(parents=True)
    for name in _COPIED:
        if (source / name).exists():
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(source / name, folder / name)
    write_safetensors(folder / "model.safetensors", named, {"format": "pt"})


def _config(settings: dict[str, Any], family: str, pool: Any) -> TextEncoderConfig:
    if settings.get("position_embedding_type", "absolute") != "absolute":
        raise InputError(f"has positions {settings['position_embedding_type']!r}, not absolute")
    offset = 0 if family == "bert" else settings.get("pad_token_id", 1) + 1
    return TextEncoderConfig(
        width=settings["hidden_size"],
        depth=settings["num_hidden_layers"],
        heads=settings["num_attention_heads"],
        hidden=settings["intermediate_size"],
        vocabulary=settings["vocab_size"],
        positions=settings["max_position_embeddings"] - offset,
        offset=offset,
        types=0 if family == "mpnet" else settings["type_vocab_size"],
        relative=family == "mpnet",
        activation=ACTIVATIONS[settings["hidden_act"]],
        epsilon=settings["layer_norm_eps"],
        pool=pool,
    )


def _pool(folder: Path) -> str:
    """Return the pooling that the files of sentence-transformers name, else the mean."""
    modules = folder / "modules.json"
    kinds = [m["type"].rpartition(".")[2] for m in _read_json(modules)] if modules.exists() else []
    if other := [kind for kind in kinds if kind not in MODULES]:
        raise InputError(f"{modules}: has the module {printable(other[0])}, not supported")
    pooling = folder / "1_Pooling" / "config.json"
    if not pooling.exists():
        return "mean"
    modes = [k for k, v in _read_json(pooling).items() if v is True and k.startswith("pooling_")]
    if len(modes) != 1 or modes[0] not in POOLS:
        raise InputError(f"{pooling}: pooling by {modes}: expected one of {', '.join(POOLS)}")
    return POOLS[modes[0]]


def _read_json(path: Path) -> Any:
    path = existing_file(path)
    with input_errors(path, "a configuration", *_DAMAGE):
        if path.stat().st_size > LIMIT:
            raise InputError(f"is larger than {LIMIT} bytes")
        return json.loads(path.read_bytes())


def _table(shapes: Shapes, layers: dict[str, str]) -> WeightTable:
    """Return the names in a file, and the layouts there, of an encoder of these shapes."""
    rows: dict[str, tuple[str, Layout]] = {}
    for ours in shapes:
        if ours in _TABLES:
            rows[ours] = (f"{_TABLES[ours]}.weight", same)
            continue
        layer, _, part = ours.rpartition(".")
        theirs = "embeddings.LayerNorm"
        if layer.startswith("blocks."):
            _, number, inner = layer.split(".", 2)
            theirs = f"encoder.layer.{number}.{layers[inner]}"
        rows[ours] = (f"{theirs}.{_PARTS[part]}", dense if part == "kernel" else same)
    return rows
