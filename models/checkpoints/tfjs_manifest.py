"""Manifest of a TensorFlow.js model: a file of JSON, or an object literal in bundled JavaScript."""

import json
import re
from pathlib import Path
from typing import Any

from salix.models.checkpoints.errors import existing_file
from salix.typing import InputError

__all__ = ["is_tfjs", "manifest_file", "read_manifest"]

_MANIFEST_LIMIT = 1 << 25  # bytes of the manifest's file, with the topology
_KEY = '"weightsManifest":'
# Strings are matched first, so that their content is not read as code. Possessive quantifiers and
# the look behind a name keep the time linear in hostile text.
_LITERAL = re.compile(
    r'"(?:[^"\\]++|\\.)*+"|(?<![\w$])[A-Za-z_$][\w$]*+(?=:)|![01]|void 0|(?<![\w.])\.(?=\d)'
)
_WORDS = {"!0": "true", "!1": "false", "void 0": "null", ".": "0."}


def _json_token(match: re.Match[str]) -> str:
    """Return the JSON of one token of JavaScript: a string, a name or a short literal."""
    token = match[0]
    return token if token.startswith('"') else _WORDS.get(token, f'"{token}"')


def _refuse_constant(name: str) -> Any:
    raise InputError(f"has {name} in its manifest")


def read_manifest(path: Path) -> Any:
    """Return the value of weightsManifest in a file of JSON or JavaScript."""
    if path.stat().st_size > _MANIFEST_LIMIT:
        raise InputError(f"is larger than {_MANIFEST_LIMIT} bytes")
    text = path.read_bytes().decode()
    if path.suffix != ".js":
        content = json.loads(text, parse_constant=_refuse_constant)
        if not isinstance(content, dict) or "weightsManifest" not in content:
            raise InputError("has no weightsManifest: not a model of TensorFlow.js")
        return content["weightsManifest"]
    text = _LITERAL.sub(_json_token, text)
    if text.count(_KEY) != 1:
        raise InputError("is no bundle of one TensorFlow.js model")
    decoder = json.JSONDecoder(parse_constant=_refuse_constant)
    return decoder.raw_decode(text, text.index(_KEY) + len(_KEY))[0]


def _manifests(folder: Path) -> list[Path]:
    """Return the files in a folder that may be its manifest: one, or those to choose from."""
    files = sorted(folder.glob("*.json")) or sorted(folder.glob("model*.js"))
    return [file for file in files if file.name == "model.json"] or files


def is_tfjs(folder: Path) -> bool:
    """Return whether a folder has a manifest of TensorFlow.js."""
    for path in filter(Path.is_file, _manifests(folder)):
        if path.suffix == ".js" or path.stat().st_size > _MANIFEST_LIMIT:
            return True  # the reader refuses what is none
        if b"weightsManifest" in path.read_bytes():
            return True
    return False


def manifest_file(path: Path) -> Path:
    """Return the file of the manifest: the path itself, or the only one in a folder."""
    if not path.is_dir():
        return existing_file(path)
    files = _manifests(path)
    if len(files) != 1:
        raise InputError(f"{path}: contains {len(files)} manifests of TensorFlow.js, not one")
    return existing_file(files[0])
