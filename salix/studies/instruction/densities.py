"""Sparse importances of prompt tokens, their word density, and the density of an instruction."""

import numpy as np
from jaxtyping import Float, Int

from salix.typing import AnyArray, InputError

LEVELS, THRESHOLD, POWER = 10, 7, 4  # as published


def sparsify(
    importance: Float[AnyArray, "n m"], *, levels: int = LEVELS, threshold: int = THRESHOLD
) -> Int[np.ndarray, "n m"]:
    r"""Return levels $S_{nm} = \lceil L \max(0, I_{nm}) / \max_{n'} I_{n'm} \rceil$, 0 up to b.

    L is `levels` and b `threshold`. A column without a positive importance is 0. Raises InputError
    for a threshold outside [0, L).

    Wu et al. (2024), arXiv:2310.00492, sec. 3.1.
    """
    if not 0 <= threshold < levels:
        raise InputError(f"the threshold is {threshold}: expected 0 to {levels - 1}")
    positive = np.maximum(np.asarray(importance, np.float64), 0)
    peaks = positive.max(0, keepdims=True)
    scaled = np.ceil(levels * positive / np.where(peaks > 0, peaks, 1)).astype(np.int64)
    return np.where(scaled > threshold, scaled, 0)


def word_density(levels: Int[AnyArray, "n m"], *, power: float = POWER) -> Float[np.ndarray, " n"]:
    r"""Return $a_n = \|S_n\|_1 / \|S_n\|_p$ over the outputs, divided by $\max_n a_n$.

    It is large where a token matters to many outputs; the range is [0, 1]. A prompt without a
    level above 0 has zeros.

    Wu et al. (2024), arXiv:2310.00492, sec. 3.1.
    """
    levels = np.asarray(levels, np.float64)
    norms = (levels**power).sum(1) ** (1 / power) + 1e-9
    density = levels.sum(1) / norms
    return density / (density.max(initial=0) or 1)


def instruction_density(density: Float[AnyArray, " n"], instruction: Int[AnyArray, " k"]) -> float:
    r"""Return $\sum_{n \in instruction} a_n / \log_2(2 + k)$ of k tokens of an instruction.

    Raises InputError for an instruction without tokens.

    Wu et al. (2024), arXiv:2310.00492, sec. 3.1.
    """
    if not len(instruction):
        raise InputError("the instruction has no tokens in the prompt")
    density = np.asarray(density)[np.asarray(instruction)]
    return float(density.sum() / np.log2(2 + len(density)))
