"""Costs of methods and metrics in model passes, as text."""

from typing import Any

from salix.typing import Passes


def describe_passes(passes: Passes) -> str:
    """Write a cost: "64 evaluations, 1 gradient"; "none" without any pass."""
    kinds = (
        (passes.evaluations, "evaluation"),
        (passes.gradients, "gradient"),
        (passes.explanations, "explanation"),
    )
    texts = [f"{count} {name}{'s' * (count > 1)}" for count, name in kinds if count]
    return ", ".join(texts) or "none"


def method_passes(method: Any, shape: tuple[int, ...]) -> str:
    """Write the cost of a method for an image of a shape; empty for one that states none."""
    passes = getattr(method, "passes", None)
    return "" if passes is None else describe_passes(passes(shape))
