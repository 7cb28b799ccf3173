"""ChaosMining's training and attributions against the serial PyTorch procedure, in CPU time.

Both train the networks of some formulas on the same data and explain the test rows; the PyTorch
side is written from the definition of the benchmark: one network after another, a Python loop of
full-batch Adam steps, then saliency, input x gradient, 20 steps of integrated gradients and
ablation of each feature. Rounds alternate between the two, with one thread each.

Example: python benchmarks chaosmining --formulas 6 10 14 --epochs 50
Example: python benchmarks chaosmining --formulas 9 --noise-features 100 1000 10000 --epochs 5
"""

import os

# One thread for both sides, set before the libraries start.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"

import argparse
import json
import tempfile
import time
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports]
from torch import nn  # pyright: ignore[reportMissingImports]

from salix.studies.chaosmining.data import NoiseSetting
from salix.studies.chaosmining.experiment import Trial, read_network, train_trials
from salix.studies.chaosmining.formulas import choose_formulas
from salix.studies.chaosmining.network import NetworkSetting
from salix.studies.chaosmining.scoring import METHODS, attribute_padded

NAMES = ("SA", "DL", "IG", "FA")  # the methods of the release
STEPS = 20


def train_torch(trial: Trial) -> nn.Sequential:
    """Train one network by PyTorch."""
    data, setting = trial.data(), trial.network
    sizes = [data.x.shape[1], *[setting.width] * setting.depth]
    layers = []
    for inputs, outputs in pairwise(sizes):
        layers += [nn.Linear(inputs, outputs), nn.GELU()]
    model = nn.Sequential(*layers, nn.Linear(setting.width, 1))
    x, y = torch.from_numpy(data.x), torch.from_numpy(data.y)[:, None]
    optimiser = torch.optim.Adam(model.parameters(), setting.learning_rate)
    for _ in range(setting.epochs):
        optimiser.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimiser.step()
    return model


def explain_torch(model: nn.Sequential, rows: np.ndarray) -> dict[str, torch.Tensor]:
    """Explain rows by the methods of the release."""
    x = torch.from_numpy(rows)

    def gradient(points: torch.Tensor) -> torch.Tensor:
        points = points.detach().requires_grad_()
        return torch.autograd.grad(model(points).sum(), points)[0]

    nodes, weights = np.polynomial.legendre.leggauss(STEPS)
    path = zip((nodes + 1) / 2, weights / 2, strict=True)
    with torch.no_grad():
        clean, drops = model(x)[:, 0], torch.empty_like(x)
        for i in range(x.shape[1]):
            ablated = x.clone()
            ablated[:, i] = 0
            drops[:, i] = clean - model(ablated)[:, 0]
    saliency = gradient(x)
    integrated = x * sum(float(w) * gradient(float(t) * x) for t, w in path)
    return {"SA": saliency, "DL": x * saliency, "IG": integrated, "FA": drops}


def run_torch(trials: list[Trial]) -> dict[str, float]:
    """Return the CPU seconds of training and of attribution by PyTorch."""
    start = time.process_time()
    models = [train_torch(t) for t in trials]
    trained = time.process_time()
    for trial, model in zip(trials, models, strict=True):
        explain_torch(model, trial.data().test_x)
    return {"training": trained - start, "attribution": time.process_time() - trained}


def run_salix(trials: list[Trial]) -> dict[str, float]:
    """Return the CPU seconds of training and of attribution by Salix."""
    features = max(t.data().x.shape[1] for t in trials)
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        train_trials(trials, Path(folder), chunk=len(trials), log=lambda line: None)
        trained = time.process_time()
        for trial in trials:
            params = [(w[-1], b[-1]) for w, b in read_network(Path(folder), trial) or []]
            explain = partial(attribute_padded, params, trial.data().test_x, features, seed=0)
            for name in NAMES:
                explain(METHODS[name])
        return {"training": trained - start, "attribution": time.process_time() - trained}


def compare(trials: list[Trial], rounds: int) -> dict[str, Any]:
    """Return the CPU seconds of each round of both sides, and the ratios of the best ones."""
    sides = {"salix": run_salix, "torch": run_torch}
    times = [{name: side(trials) for name, side in sides.items()} for _ in range(rounds)]
    best = {
        name: {part: min(r[name][part] for r in times) for part in times[0][name]} for name in sides
    }
    ratios = {part: best["torch"][part] / best["salix"][part] for part in best["torch"]}
    return {"best": best, "ratios": ratios, "rounds": times}


def main() -> None:
    """Print the CPU seconds and ratios for each number of noise features as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--formulas", nargs="*", default=[])
    parser.add_argument("--noise-features", nargs="*", type=int, default=[100])
    parser.add_argument("--rows", type=int, default=10_000, help="a fifth of them for tests")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3, help="the first one compiles")
    options = parser.parse_args()
    torch.set_num_threads(1)
    setting = NetworkSetting(epochs=options.epochs)
    formulas = choose_formulas(tuple(options.formulas))
    results = []
    for count in options.noise_features:
        noise = NoiseSetting(count, options.rows)
        trials = [Trial(f, s, noise, setting) for s in range(options.seeds) for f in formulas]
        about = {"noise_features": count, "rows": options.rows, "epochs": options.epochs}
        results.append({"networks": len(trials), **about, **compare(trials, options.rounds)})
    print(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
