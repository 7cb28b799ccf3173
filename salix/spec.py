"""Text that names a configured object, `IntegratedGradients(steps=64)`, read and checked.

The text is the `repr` of a frozen dataclass, so that the command line, the manifest and Python
speak of a method in the same words. It is parsed, never evaluated.
"""

import ast
import inspect
from collections.abc import Mapping
from typing import Any

from salix.typing import InputError


def parse(text: str, family: Mapping[str, type], arguments: Mapping[str, type] = {}) -> Any:
    """Build the member of `family` that `text` describes.

    Arguments are literals, members of the family, or of `arguments`: objects that members take
    but that are no members themselves. A bare name means all defaults. Raises `InputError`, naming
    the members of the family, for anything else.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        raise InputError(f"cannot read {text!r}: write it as {_example(family)}") from None
    return _build(node, family, {**family, **arguments}, text)


def _build(
    node: ast.expr, family: Mapping[str, type], nested: Mapping[str, type], text: str
) -> Any:
    match node:
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name not in family:
            raise InputError(f"unknown {name!r}: choose one of {', '.join(family)}")
        case ast.Name(id=name):
            return family[name]()
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            given = [_build(a, nested, nested, text) for a in args]
            named = {str(k.arg): _build(k.value, nested, nested, text) for k in keywords}
            try:
                return family[name](*given, **named)
            except (TypeError, ValueError) as error:
                signature = f"{name}{inspect.signature(family[name])}"
                raise InputError(f"{text!r}: {error}; it takes {signature}") from None
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise InputError(f"{text!r}: {ast.unparse(node)!r} is not a plain value") from None


def _example(family: Mapping[str, type]) -> str:
    return f"{next(iter(family))}() (one of {', '.join(family)})"
