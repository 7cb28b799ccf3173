"""Layer-wise relevance propagation."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np

from salix.attribution.program import (
    FIRST_RULES,
    LAYER_RULES,
    LayerRules,
    RelevanceOptions,
    explain_relevance,
)
from salix.hyperparameters import check_fields, choice, number, optional
from salix.typing import Attribution, Image, InputError, Passes, PRNGKey, ScoreLike, as_score

COMPOSITES = {
    "epsilon_gamma_box": LayerRules("gamma", "epsilon", "box"),
    "epsilon_gamma": LayerRules("gamma", "epsilon"),
    "epsilon_plus_flat": LayerRules("z_plus", "epsilon", "flat"),
    "epsilon_plus": LayerRules("z_plus", "epsilon"),
    "epsilon_alpha_beta_flat": LayerRules("alpha_beta", "epsilon", "flat"),
}
AT_LEAST_ZERO = number(lambda n: n >= 0, remedy="give a number, 0 or more")


@dataclass(frozen=True)
class LRP:
    r"""Layer-wise relevance propagation: the score shared out layer by layer, from top to bottom.

    Relevance R of the outputs $z_j = \sum_i w_{ij} a_i + b_j$ of an affine layer goes to its inputs
    by `rule`, in proportion to contributions $a_i w_{ij}$:

    - "zero": $\sum_j a_i w_{ij} R_j / z_j$, in a ReLU network the input times the gradient;
    - "epsilon": with the divisor $z_j + \epsilon\,sgn z_j$;
    - "gamma": with contributions of the sign of $z_j$ raised by $1 + \gamma$, in the divisor too:
      weights $w + \gamma w^+$ in a ReLU network. Elsewhere $z_j$ or $a_i$ may be negative, where
      these weights have divisors that vanish, and relevance grows without a bound. Here a layer
      enlarges $\sum |R|$ to $1 + 2 / \gamma$ times at most;
    - "alpha_beta": positive and negative contributions apart, with shares $1 + \beta$ and
      $-\beta$; "z_plus" is $\beta = 0$.

    `composite` chooses by depth instead: layers with weights shared among places (of
    convolutions, of tokens), dense layers, and the first layer: "epsilon_gamma_box",
    "epsilon_gamma", "epsilon_plus_flat", "epsilon_plus", "epsilon_alpha_beta_flat". `first` is the
    rule of the first layer, where it reads the image itself: "flat" (equal shares), "w_square" (in
    proportion to $w^2$) or "box" ($x w - l w^+ - h w^-$, l and h black and white of the `Score`);
    it overrides the composite's. Scales and shifts that follow a layer and are read by nothing else
    (a bias, a batch normalisation) are part of it.

    Elsewhere: a sum by contribution; a maximum to the winner; a function g of one value passes all
    relevance on, but g(0), if it is not 0, absorbs its share; in a product, gates (sigmoids,
    attention weights, normalisations, what is broadcast) are constants, as are divisors, and two
    factors of one sort share equally.

    Signed, in units of the score. Conserved, $\sum R = f(x)$, for $\epsilon \to 0$ without shifts,
    which absorb their share. A probability is best explained by its logit. Each rule but "zero" and
    "epsilon" costs further convolutions, within one pass. Raises `InputError` for unknown rules,
    numbers less than 0, `rule` and `composite` together, and a primitive without a rule.

    Bach et al. (2015), doi:10.1371/journal.pone.0130140, eq. 56 to 60; Montavon et al. (2019),
    doi:10.1007/978-3-030-28954-6_10; the first layer: Montavon et al. (2017), arXiv:1512.02479;
    "gamma" for negative values: Andéol et al. (2021), arXiv:2106.04923; attention and
    normalisation: Ali et al. (2022), arXiv:2202.07304.
    """

    rule: str | None = None
    composite: str | None = None
    first: str | None = None
    epsilon: float | int = 1e-6
    gamma: float | int = 0.25
    beta: float | int = 1.0

    def __post_init__(self) -> None:
        check_fields(self, rule=optional(choice(LAYER_RULES)))
        check_fields(self, composite=optional(choice(COMPOSITES)))
        check_fields(self, first=optional(choice(FIRST_RULES)))
        check_fields(self, **dict.fromkeys(("epsilon", "gamma", "beta"), AT_LEAST_ZERO))
        if self.rule is not None and self.composite is not None:
            raise InputError(
                f"rule is {self.rule!r} and composite {self.composite!r}: give one of them"
            )

    def passes(self, shape: tuple[int, ...]) -> Passes:
        """Return the model passes of one image of a shape [*space c]."""
        del shape
        return Passes(gradients=1)

    def __call__(self, score: ScoreLike, image: Image, key: PRNGKey) -> Attribution:
        del key  # deterministic
        image = jnp.asarray(image)
        rule = self.rule or "epsilon"
        names = LayerRules(rule, rule) if self.composite is None else COMPOSITES[self.composite]
        if self.first is not None:
            names = LayerRules(names.convolution, names.dense, self.first)
        ends = (np.asarray(v, image.dtype) for v in (as_score(score).black, as_score(score).white))
        low, high = (jnp.broadcast_to(end, image.shape) for end in ends)
        options = RelevanceOptions(self.epsilon, self.gamma, self.beta, low, high)
        return explain_relevance(score, image, names, options)
