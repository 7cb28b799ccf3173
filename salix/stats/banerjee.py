"""Student's test of an estimate whose error has several independent parts."""

from collections.abc import Sequence

import numpy as np
from scipy import optimize, special

SMALLEST_P = 1e-15  # below, quantiles of Student's t lose their digits


def student_p(estimate: float, variances: Sequence[float], freedoms: Sequence[float]) -> float:
    r"""Two-sided p-value of an estimate of 0 whose error is a sum of independent parts.

    Part k has the estimated variance $v_k$ with $\nu_k$ degrees of freedom; p is the $\alpha$ at
    which $d^2 = \sum_k t^2_{\nu_k, 1 - \alpha / 2} v_k$. For normal parts it is at most $\alpha$
    with a probability of at most $\alpha$, for every $\alpha$, number of parts and ratio of their
    variances; of one part it is Student's. With Satterthwaite's degrees of freedom instead, groups
    of 2 and 8 runs, those of the first three times as variable, have p <= 0.05 in 12 % and
    p <= 0.0125 in 8 % of samples. In [1e-15, 1]; NaN where a part has no variance estimate.

    Banerjee (1961), Sankhya A 23(4), 359-378.
    """
    v, freedom = np.asarray(variances, np.float64), np.asarray(freedoms, np.float64)
    if np.isnan(v).any() or (freedom <= 0).any():
        return float("nan")
    if estimate == 0:
        return 1.0

    def excess(log_p: float) -> float:
        return float((special.stdtrit(freedom, np.exp(log_p) / 2) ** 2 * v).sum()) - estimate**2

    least = float(np.log(SMALLEST_P))
    if excess(least) <= 0:
        return SMALLEST_P
    return float(np.exp(optimize.root_scalar(excess, bracket=(least, 0.0)).root))
