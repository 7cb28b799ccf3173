"""Reference results of PAIR's path methods for the tests: PYTHON path_reference.py FOLDER.

PYTHON has saliency 0.2.1 with numpy<2.4. The image and the score are formulas, so that the tests
compute them again. Blur IG runs with batches of one: in larger ones the package gives all terms the
last one's width.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np

GUIDED: dict[str, dict[str, Any]] = {
    "default": {},
    "few steps": {"steps": 17},
    "far": {"steps": 20, "max_distance": 1.0, "fraction": 0.1},
    "straight": {"steps": 20, "max_distance": 0.0},
    "all at once": {"steps": 20, "fraction": 1.0},
}
BLUR: dict[str, dict[str, Any]] = {
    "default": {},
    "sqrt": {"steps": 20, "max_sigma": 9, "spacing": "sqrt"},
    "narrow": {"steps": 10, "max_sigma": 2.5, "difference": 0.05},
}
NAMES = {"steps": "x_steps", "max_distance": "max_dist"}


def image() -> np.ndarray:
    """Smooth image [14 11 3] with edges, in [0, 1]."""
    y, x, k = np.ogrid[:14, :11, :3]
    return 0.5 + 0.25 * np.sin(y / 2 + k) * np.cos(x / 3) + 0.2 * ((y + 2 * x) % 7 > 3)


def weights() -> np.ndarray:
    """Signed weight of every feature."""
    y, x, k = np.ogrid[:14, :11, :3]
    return np.sin(1.7 * y + 0.3 * x * x + 2.1 * k)


def gradient(x: np.ndarray) -> np.ndarray:
    """Gradient of the score tanh(sum(w sin(2x)) / 5)."""
    inner = (weights() * np.sin(2 * x)).sum() / 5
    return (1 - np.tanh(inner) ** 2) * weights() * 2 * np.cos(2 * x) / 5


def _model(batch: np.ndarray, call_model_args: object, expected_keys: list[str]) -> dict:
    del call_model_args
    return {expected_keys[0]: np.stack([gradient(x) for x in batch])}


if __name__ == "__main__":
    from saliency.core import BlurIG, GuidedIG  # pyright: ignore[reportMissingImports]

    results = {}
    for name, settings in GUIDED.items():
        options = {NAMES.get(k, k): v for k, v in settings.items()}
        results[f"guided {name}"] = GuidedIG().GetMask(image(), _model, **options)
    for name, settings in BLUR.items():
        options = {"grad_step" if k == "difference" else k: v for k, v in settings.items()}
        options["sqrt"] = options.pop("spacing", "linear") == "sqrt"
        results[f"blur {name}"] = BlurIG().GetMask(image(), _model, batch_size=1, **options)
    np.savez_compressed(Path(sys.argv[1]) / "pair_paths.npz", **results)
