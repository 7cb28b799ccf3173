"""Parser of configured objects from text, such as `IntegratedGradients(steps=64)`.

The text is the `repr` of a frozen dataclass, the same on the command line, in the manifest and in
Python. It is parsed, never evaluated.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from salix.typing import InputError


def parse(text: str, family: Mapping[str, Any], arguments: Mapping[str, Any] = {}) -> Any:
    """Build the member of `family` that `text` describes.

    Members are classes, or partial calls (`functools.partial`) that their name calls. Their
    arguments are literals, members of the family, or of `arguments`: classes and functions that
    members take but that are no members themselves; or tuples and lists of these. A class name
    without brackets means all defaults, a function's name the function. Raises `InputError`, naming
    the members of the family, for anything else.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except SyntaxError:
        example = f"{next(iter(family))}() (one of {', '.join(family)})"
        raise InputError(f"cannot read {text!r}: write it as {example}") from None
    return _build(node, family, {**family, **arguments}, text)


def _build(node: ast.expr, family: Mapping[str, Any], nested: Mapping[str, Any], text: str) -> Any:
    match node:
        case ast.Name(id=name) | ast.Call(func=ast.Name(id=name)) if name not in family:
            raise InputError(f"unknown {name!r}: choose one of {', '.join(family)}")
        case ast.Name(id=name) if not isinstance(family[name], (type, partial)):
            return family[name]
        case ast.Name(id=name):
            return _call(family[name], [], {}, text)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=keywords):
            if not isinstance(family[name], (type, partial)):
                raise InputError(f"{text!r}: {name} is a function: write its name without brackets")
            positional = [_build(a, nested, nested, text) for a in args]
            named = {str(k.arg): _build(k.value, nested, nested, text) for k in keywords}
            return _call(family[name], positional, named, text)
        case ast.Tuple(elts=elements) | ast.List(elts=elements):
            items = [_build(element, nested, nested, text) for element in elements]
            return tuple(items) if isinstance(node, ast.Tuple) else items
    try:
        return ast.literal_eval(node)
    except ValueError:
        raise InputError(f"{text!r}: {ast.unparse(node)!r} is not a plain value") from None


def _call(kind: Callable[..., Any], positional: list[Any], named: dict[str, Any], text: str) -> Any:
    try:
        return kind(*positional, **named)
    except InputError as error:
        raise InputError(f"{text!r}: {error}") from None
    except (TypeError, ValueError) as error:
        parameters = inspect.signature(kind).parameters.values()
        plain = inspect.Signature([p.replace(annotation=p.empty) for p in parameters])
        name = getattr(kind, "__name__", "")
        raise InputError(f"{text!r}: {error}; it takes {name}{plain}") from None
