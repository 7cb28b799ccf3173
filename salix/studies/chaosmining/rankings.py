"""Selectors of features beside RFEwNA: scikit-learn's RFE, permutation importance and SHAP."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from salix.attribution import ShapleySampling
from salix.perturb.partition import Patches
from salix.studies.chaosmining.network import predict
from salix.studies.chaosmining.scoring import attribute_padded
from salix.typing import Params

ROWS = 200  # of SHAP, which passes each feature of each row several times
SHAP = ShapleySampling(Patches(side=1), permutations=4, antithetic=True, chunk=64)
# scikit-learn's RFE drops this share of all features, not of the remaining ones, each round.
STEP = 0.5


def classical_estimators(seed: int) -> dict[str, Any]:
    """Return the estimators of classical RFE by name."""
    from sklearn.linear_model import LinearRegression
    from sklearn.svm import LinearSVR
    from sklearn.tree import DecisionTreeRegressor

    return {
        "linear RFE": LinearRegression(),
        "decision tree RFE": DecisionTreeRegressor(random_state=seed),
        "linear SVR RFE": LinearSVR(epsilon=0.1, max_iter=20_000, random_state=seed),
    }


def classical_selection(
    estimator: Any, x: Float[Any, "rows features"], y: Float[Any, " rows"], count: int
) -> Any:
    """Return scikit-learn's RFE of an estimator, fitted to keep `count` features."""
    from sklearn.feature_selection import RFE

    step: Any = STEP
    return RFE(estimator, n_features_to_select=count, step=step).fit(x, y)


def permutation_ranking(
    params: Params, x: Float[np.ndarray, "rows features"], y: Any, *, seed: int
) -> Float[np.ndarray, " features"]:
    """Return the permutation importance of a network's features: the growth of its squared error.

    scikit-learn's, with five permutations.
    """
    from sklearn.inspection import permutation_importance

    result = permutation_importance(
        NetworkRegressor(tuple(params)),
        x,
        y,
        scoring=_negative_error,
        n_repeats=5,
        random_state=seed,
    )
    return np.asarray(result["importances_mean"])


def _negative_error(network: "NetworkRegressor", x: Any, y: Any) -> float:
    return -float(((network.predict(x) - y) ** 2).mean())


def shap_ranking(
    params: Params, x: Float[np.ndarray, "rows features"], *, seed: int
) -> Float[np.ndarray, " features"]:
    """Return the mean |Shapley value| of a network's features over the first 200 rows.

    Estimated by four antithetic permutations a row, with features absent at 0.
    """
    values = attribute_padded(params, x[:ROWS], x.shape[1], SHAP, seed=seed)
    return np.abs(values).mean(0, dtype=np.float64)


def top_mask(importance: Float[np.ndarray, " features"], count: int) -> Bool[Any, " features"]:
    """Return the mask of the `count` features of greatest importance; of equal ones the later."""
    mask = np.zeros(len(importance), bool)
    mask[np.argsort(importance, kind="stable")[len(importance) - count :]] = True
    return mask


@dataclass(frozen=True, eq=False)
class NetworkRegressor:
    """A trained network as an estimator of scikit-learn, which is not fitted again."""

    params: tuple[Any, ...]

    def fit(self, x: Any, y: Any) -> "NetworkRegressor":
        """Return the estimator as it is."""
        del x, y
        return self

    def predict(self, x: Any) -> Any:
        """Return the outputs of the network."""
        return np.asarray(jax.jit(predict)(list(self.params), jnp.asarray(x, jnp.float32)))
