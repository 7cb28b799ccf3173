"""Check of a model by shapes, before any work: trunk, head, number and type of outputs."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from salix.adapters.static_leaves import is_array
from salix.model import Model
from salix.typing import HOW_TO_CUT, InputError, Method, Params


def check_model(model: Model, params: Params, method: Method) -> int:
    """Return the number of a model's outputs; raises `InputError` where the model does not fit.

    The model is evaluated on the shape of one image. Checked are the features' grid, where the
    method reads the trunk, and that the logits are one floating-point number for each class, or one
    number for two classes.
    """
    image = jax.ShapeDtypeStruct(
        (*model.preprocess.size, model.preprocess.channels), np.dtype(np.float32)
    )
    features = _shape(model, "trunk", params, image)
    if getattr(method, "reads_trunk", False):
        for divided in [model.at(cut) for cut in _cuts(method)] or [model]:
            _check_trunk(divided, params, image, _shape(divided, "trunk", params, image), method)
    logits = _shape(model, "head", params, features)
    if not hasattr(logits, "shape"):
        raise InputError(f"{model.name} returns {type(logits).__name__}, not an array of logits")
    if not jnp.issubdtype(logits.dtype, jnp.floating) or logits.dtype.itemsize < 2:
        raise InputError(
            f"{model.name} returns {logits.dtype.name}: give logits in float32, float16 or bfloat16"
        )
    count, classes = len(model.classes), ", ".join(model.classes)
    outputs = 2 if logits.shape in ((), (1,)) else logits.size  # one is a binary classifier
    if len(logits.shape) > 1 or outputs != count:
        hint = "give classes=(…), one name for each output"
        if len(logits.shape) > 1:
            hint = "a model of one image returns one axis of logits"
        raise InputError(
            f"{model.name} has {logits.size} outputs for {count} classes ({classes}), in the "
            f"shape {logits.shape}: {hint}"
        )
    return logits.size


def check_params(params: Params) -> None:
    """Raise `InputError` for a leaf of the parameters that is no array, naming its path."""
    for path, leaf in jax.tree_util.tree_leaves_with_path(params):
        if not is_array(leaf):
            text = " ".join(repr(leaf).split())[:80]
            raise InputError(
                f"the parameter {jax.tree_util.keystr(path)} is {text}, not an array: use the "
                "parameters that from_function returns, which has other values in the model"
            )


def _shape(model: Model, part: str, params: Params, x: Any) -> Any:
    """Return the shape of what the trunk or the head returns."""
    try:
        return jax.eval_shape(getattr(model, part), params, x)
    except InputError:
        raise
    except Exception as error:  # of any library: what the function does is its author's
        shapes = ", ".join(str(leaf.shape) for leaf in jax.tree.leaves(x))
        line = next((t for t in str(error).splitlines() if t.strip()), type(error).__name__)
        raise InputError(
            f"the {part} of {model.name} fails on one {'image' if part == 'trunk' else 'input'} of "
            f"shape {shapes} ({type(error).__name__}: {line.strip()[:200]})"
        ) from error


def _cuts(method: Any) -> tuple[str, ...]:
    """Return the cuts at which a method, or the one that it wraps, divides the model."""
    inner = getattr(method, "method", None)
    return getattr(method, "cuts", ()) or (_cuts(inner) if inner is not None else ())


def _check_trunk(model: Model, params: Params, image: Any, features: Any, method: Method) -> None:
    kind = type(method).__name__
    cuts = f"{model.name} can be divided at {', '.join(model.cuts)}: " if model.cuts else ""
    if not model.divided or _returns_input(model.trunk, params, image):
        raise InputError(
            f"{kind} needs the features of a trunk, and {model.name} has none: {cuts}{HOW_TO_CUT}"
        )
    if not hasattr(features, "shape") or len(features.shape) < 2:
        shape = getattr(features, "shape", type(features).__name__)
        raise InputError(
            f"{kind} needs features on a grid, [h w k], and the trunk of {model.name} returns "
            f"{shape}: {cuts}divide it before features are pooled or flattened"
        )


def _returns_input(trunk: Any, params: Params, image: Any) -> bool:
    """Return whether a trunk is the identity, by its trace."""
    trace = jax.make_jaxpr(trunk)(params, image).jaxpr
    while len(trace.eqns) == 1 and "jaxpr" in trace.eqns[0].params:  # a compiled function
        trace = trace.eqns[0].params["jaxpr"].jaxpr
    return trace.outvars[0] is trace.invars[-1]
