"""Arithmetic expressions of the variables a to z: parsing, values and derivatives.

An expression is a tree of Python's `ast`; texts are parsed and never evaluated as code.
"""

import ast
import math
import string
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from salix.typing import InputError

FUNCTIONS = ("sin", "cos", "tan", "exp", "ln", "sqrt")
VARIABLES = string.ascii_lowercase
OPERATORS = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.Pow)
LIMIT = 1000  # characters of a text
DEPTH = 60  # nested operations
REMEDY = (
    f"write numbers, the variables a to z, + - * / ^, parentheses and {', '.join(FUNCTIONS)}, "
    'for example "sin(a) * b"'
)


def parse(text: str) -> ast.expr:
    """Return the tree of an expression such as `sin(a) * b^2 / 3`.

    `^` and `**` are powers, whose exponents are numbers. Raises `InputError` for anything else
    than the numbers, variables, operators and functions of this module.
    """
    if len(text) > LIMIT:
        raise InputError(f"a formula of {len(text)} characters: give {LIMIT} at most")
    try:
        tree = ast.parse(text.strip().replace("^", "**"), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise InputError(f"formula {text!r} is not an expression: {REMEDY}") from None
    _check(tree, text, 0)
    return tree


def _check(node: ast.expr, text: str, depth: int) -> None:
    if depth > DEPTH:
        raise InputError(f"formula {text!r} has over {DEPTH} nested operations: simplify it")
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            if not _is_small(value):
                raise InputError(f"formula {text!r} has a number beyond 1e15: {REMEDY}")
            return
        case ast.Name(id=name) if len(name) == 1 and name in VARIABLES:
            return
        case ast.Name(id=name):
            raise InputError(f"formula {text!r} has the unknown name {name!r}: {REMEDY}")
        case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=operand):
            children = [operand]
        case ast.BinOp(op=ast.Pow(), left=left, right=exponent):
            if any(isinstance(n, ast.Name) for n in ast.walk(exponent)):
                raise InputError(
                    f"formula {text!r} has a variable in an exponent: give a number, or exp(…)"
                )
            children = [left, exponent]
        case ast.BinOp(op=op, left=left, right=right) if isinstance(op, OPERATORS):
            children = [left, right]
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in FUNCTIONS:
            children = [argument]
        case ast.Call(func=function):
            call = ast.unparse(function)
            raise InputError(f"formula {text!r} has an unknown call of {call!r}: {REMEDY}")
        case _:
            part = ast.unparse(node)
            raise InputError(f"formula {text!r} has the unknown part {part!r}: {REMEDY}")
    for child in children:
        _check(child, text, depth + 1)


def _is_small(value: float) -> bool:
    return math.isfinite(value) and abs(value) < 1e15 if abs(value) < 10**300 else False


def variables(tree: ast.expr) -> tuple[str, ...]:
    """Return the variables of a tree in alphabetical order."""
    names = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
    return tuple(sorted(names & set(VARIABLES)))


def evaluate(tree: ast.expr, values: Mapping[str, Any], numpy: Any = np) -> Any:
    """Return the value of a tree for arrays of its variables, by NumPy or `jax.numpy`."""
    match tree:
        case ast.Constant(value=value):
            return float(value)  # pyright: ignore[reportArgumentType]
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=op, operand=operand):
            value = evaluate(operand, values, numpy)
            return -value if isinstance(op, ast.USub) else value
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            function = getattr(numpy, {"ln": "log"}.get(name, name))
            return function(evaluate(argument, values, numpy))
        case ast.BinOp(op=ast.Pow(), left=left, right=right):
            exponent = number(right)
            power = int(exponent) if exponent.is_integer() else exponent
            return evaluate(left, values, numpy) ** power
        case ast.BinOp(op=op, left=left, right=right):
            pair = evaluate(left, values, numpy), evaluate(right, values, numpy)
            return _ARITHMETIC[type(op)](*pair)
    raise AssertionError(ast.dump(tree))


_ARITHMETIC: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: lambda x, y: x + y,
    ast.Sub: lambda x, y: x - y,
    ast.Mult: lambda x, y: x * y,
    ast.Div: lambda x, y: x / y,
}


def number(tree: ast.expr) -> float:
    """Return the value of a tree without variables; `InputError` where it is not finite."""
    try:
        with np.errstate(all="ignore"):
            value = float(evaluate(tree, {}))
    except (OverflowError, ZeroDivisionError, TypeError):
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"the exponent {ast.unparse(tree)} of a formula is not a finite number")
    return value


def derivative(tree: ast.expr, variable: str) -> ast.expr:
    """Return the tree of the derivative with respect to a variable, in closed form."""
    match tree:
        case ast.Name(id=name) if name == variable:
            return ast.Constant(1)
        case ast.Constant() | ast.Name():
            return ast.Constant(0)
        case ast.UnaryOp(op=op, operand=operand):
            return ast.UnaryOp(op, derivative(operand, variable))
        case ast.Call(func=ast.Name(id=name), args=[argument]):
            inner = derivative(argument, variable)
            return _product(_OUTER[name](argument), inner)
        case ast.BinOp(op=ast.Add() | ast.Sub() as op, left=left, right=right):
            return ast.BinOp(derivative(left, variable), op, derivative(right, variable))
        case ast.BinOp(op=ast.Mult(), left=u, right=v):
            terms = _product(derivative(u, variable), v), _product(u, derivative(v, variable))
            return ast.BinOp(terms[0], ast.Add(), terms[1])
        case ast.BinOp(op=ast.Div(), left=u, right=v):
            terms = _product(derivative(u, variable), v), _product(u, derivative(v, variable))
            return _quotient(ast.BinOp(terms[0], ast.Sub(), terms[1]), _power(v, 2))
        case ast.BinOp(op=ast.Pow(), left=u, right=right):
            exponent = number(right)
            inner = derivative(u, variable)
            if exponent == 0:
                return ast.Constant(0)
            return _product(_product(ast.Constant(exponent), _power(u, exponent - 1)), inner)
    raise AssertionError(ast.dump(tree))


def _product(left: ast.expr, right: ast.expr) -> ast.expr:
    zero = ast.Constant(0)
    if any(isinstance(x, ast.Constant) and x.value == 0 for x in (left, right)):
        return zero
    return ast.BinOp(left, ast.Mult(), right)


def _quotient(left: ast.expr, right: ast.expr) -> ast.expr:
    return ast.BinOp(left, ast.Div(), right)


def _power(base: ast.expr, exponent: float) -> ast.expr:
    return ast.BinOp(base, ast.Pow(), ast.Constant(exponent))


def _call(name: str, argument: ast.expr) -> ast.expr:
    return ast.Call(ast.Name(name), [argument], [])


_OUTER: dict[str, Callable[[ast.expr], ast.expr]] = {
    "sin": lambda u: _call("cos", u),
    "cos": lambda u: ast.UnaryOp(ast.USub(), _call("sin", u)),
    "tan": lambda u: _quotient(ast.Constant(1), _power(_call("cos", u), 2)),
    "exp": lambda u: _call("exp", u),
    "ln": lambda u: _quotient(ast.Constant(1), u),
    "sqrt": lambda u: _quotient(ast.Constant(0.5), _call("sqrt", u)),
}
