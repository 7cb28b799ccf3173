"""RFEwNA as a scikit-learn selector of features."""

import math
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.feature_selection import SelectorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from salix import spec
from salix.attribution import ARGUMENTS
from salix.attribution import METHODS as EVERY
from salix.studies.chaosmining.elimination import (
    EliminationRule,
    EliminationTask,
    eliminate,
)
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.scoring import METHODS
from salix.typing import InputError, Method

# Names of the methods that the release compares; "deeplift" is the rescale rule itself.
ATTRIBUTIONS = {
    "saliency": "SA",
    "input_x_gradient": "DL",
    "integrated_gradients": "IG",
    "ablation": "FA",
    "deeplift": "DeepLIFT",
}
LEAST_ROWS = 4


class RFEwNA(SelectorMixin, BaseEstimator):
    """Recursive feature elimination with a network and attributions, for regression.

    Each round trains a network on the remaining features, ranks them by the mean |attribution|
    over validation rows, and drops the lowest `step` of them: until `n_features_to_select` are
    left, or, without a number, until the validation error grows. The validation rows are a random
    `validation_fraction`, on which no network is trained: the release ranks and stops on test rows.

    Features and target are standardised inside. `attribution` is "saliency", "input_x_gradient",
    "integrated_gradients", "ablation", "deeplift", or a method of Salix or its text, such as
    "ExpectedGradients(references=0.0)". `n_features_to_select` is a number, or a share in (0, 1).

    After `fit`: `support_`, `ranking_` (1 for selected features), `n_features_`, and `history_`,
    the number of features and the validation error (in standard deviations of y) of each round.

    Shi et al. (2024), arXiv:2406.12150.
    """

    # Types are checked by `fit`, as scikit-learn's conventions require.
    def __init__(
        self,
        n_features_to_select: Any = None,
        *,
        step: Any = 0.2,
        attribution: Any = "saliency",
        depth: Any = 3,
        width: Any = 100,
        epochs: Any = 1000,
        learning_rate: Any = 1e-3,
        validation_fraction: Any = 0.25,
        random_state: Any = None,
    ):
        self.n_features_to_select = n_features_to_select
        self.step = step
        self.attribution = attribution
        self.depth = depth
        self.width = width
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X: Any, y: Any) -> "RFEwNA":  # noqa: N803
        """Select features of X [rows features] for the target y [rows]; returns the estimator."""
        x, y = validate_data(
            self, X, y, dtype=np.float64, y_numeric=True, ensure_min_samples=LEAST_ROWS
        )
        y = np.asarray(y, np.float64)
        if np.ptp(y) == 0:
            raise InputError(f"the target y is constant, at {y[0]:g}: no feature can be relevant")
        random = check_random_state(self.random_state)
        training, validation = self._split(len(x), random)
        x, y = _standardise(x, training), _standardise(y, training)
        task = EliminationTask(
            x[training],
            y[training],
            x[validation],
            y[validation],
            _method(self.attribution),
            EliminationRule(self.step, self._count(x.shape[1])),
            seed=int(random.randint(2**31 - 1)),
        )
        setting = NetworkSetting(self.depth, self.width, self.epochs, self.learning_rate)
        (rounds,) = eliminate([task], setting)
        self.history_ = [(len(r.features), r.error) for r in rounds]
        self.ranking_ = np.full(x.shape[1], len(rounds))
        for place, one in enumerate(reversed(rounds), 1):
            remaining = self.ranking_[one.features]
            self.ranking_[one.features] = np.minimum(remaining, place)
        self.support_ = self.ranking_ == 1
        self.n_features_ = int(self.support_.sum())
        return self

    def _split(self, rows: int, random: Any) -> tuple[Any, Any]:
        share = self.validation_fraction
        if not (isinstance(share, float) and 0 < share < 1):
            raise InputError(
                f"validation_fraction is {share!r}: give a share of the rows between 0 and 1"
            )
        count = min(max(math.ceil(rows * share), 1), rows - 2)
        order = random.permutation(rows)
        return order[count:], order[:count]

    def _count(self, features: int) -> int | None:
        wanted = self.n_features_to_select
        if wanted is None:
            return None
        if isinstance(wanted, Integral) and not isinstance(wanted, bool):
            return int(wanted)
        if isinstance(wanted, float) and 0 < wanted < 1:
            return max(1, int(wanted * features))
        raise InputError(
            f"n_features_to_select is {wanted!r}: give a number of features, a share between 0 and "
            "1, or None"
        )

    def _get_support_mask(self) -> Any:
        check_is_fitted(self)
        return self.support_

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        tags.non_deterministic = self.random_state is None
        return tags


def _standardise(values: Any, training: Any) -> Any:
    """Scale columns by the mean and standard deviation of the training rows; constant ones to 0."""
    part = values[training]
    centre, spread = part.mean(0), part.std(0)
    return (values - centre) / np.where(spread > 1e-12 * np.abs(centre), spread, np.inf)


def _method(attribution: Any) -> Method:
    if not isinstance(attribution, str):
        return attribution
    if attribution in ATTRIBUTIONS:
        return METHODS[ATTRIBUTIONS[attribution]]
    return spec.parse(attribution, EVERY, ARGUMENTS)
