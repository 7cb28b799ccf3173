"""Coverage of the 95 % intervals of a detector's rates, over frames of videos.

Frames of 5 to 50 videos, half of either class, 32 each, have normal scores of variance 1 in either
class, one and a half apart, with an intraclass correlation of 0 to 0.9. The true rates are known in
closed form; of average precision by quadrature. "Frames" are the intervals that take frames for
independent, as a negative control. Usage:
python benchmarks video_coverage --repetitions 400 --out benchmarks/results/video-coverage.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
from scipy import special

from salix.stats import Interval, detector_rates

FRAMES, APART = 32, 1.5
VIDEOS, CORRELATIONS = (5, 10, 20, 50), (0.0, 0.3, 0.6, 0.9)


def truth() -> dict[str, float]:
    """Return the true rates by their keys."""
    t = np.linspace(-9, 9, 200_001)
    tpr, fpr = special.ndtr(APART - t), special.ndtr(-t)
    density = np.exp(-((t - APART) ** 2) / 2) / np.sqrt(2 * np.pi)
    rates = {
        "auc": special.ndtr(APART / np.sqrt(2)),
        "eer": special.ndtr(-APART / 2),
        "acer": special.ndtr(-APART / 2),
        "ap": float(np.trapezoid(density * tpr / (tpr + fpr), t)),
    }
    for level in (0.001, 0.01, 0.05):
        rates[f"tpr_{level:g}"] = special.ndtr(APART + special.ndtri(level))
    return {name: float(rate) for name, rate in rates.items()}


def frames(
    rng: np.random.Generator, videos: int, correlation: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return scores, labels and videos of frames."""
    video = np.repeat(np.arange(videos), FRAMES)
    labels = (np.arange(videos) % 2)[video]
    own = rng.normal(size=videos)[video]
    noise = np.sqrt(1 - correlation) * rng.normal(size=len(video))
    return APART * labels + np.sqrt(correlation) * own + noise, labels, video


def covered(interval: Interval, value: float) -> float:
    """Return 1 for an interval that covers a value, 0 for another, NaN without limits."""
    limits = interval.low, interval.high
    return float(limits[0] <= value <= limits[1]) if np.isfinite(limits).all() else np.nan


def coverage(videos: int, correlation: float, *, repetitions: int, draws: int) -> dict[str, dict]:
    """Return the shares of intervals that cover the true rates, by videos and by frames."""
    rng, rates = np.random.default_rng((videos, round(100 * correlation))), truth()
    hits = {"videos": dict.fromkeys(rates, 0.0), "frames": dict.fromkeys(rates, 0.0)}
    for seed in range(repetitions):
        scores, labels, video = frames(rng, videos, correlation)
        for name, clusters in (("videos", video), ("frames", None)):
            own = detector_rates(scores, labels, clusters=clusters, draws=draws, seed=seed)
            for key, value in rates.items():
                hits[name][key] += covered(own[key], value)
    return {
        name: {k: round(n / repetitions, 4) if n == n else None for k, n in counts.items()}
        for name, counts in hits.items()
    }


def main() -> None:
    """Measure all designs and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=400)
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--out", type=Path, default=None)
    options = parser.parse_args()
    designs = []
    for videos in VIDEOS:
        for correlation in CORRELATIONS:
            shares = coverage(
                videos, correlation, repetitions=options.repetitions, draws=options.draws
            )
            designs.append({"count": videos, "correlation": correlation} | shares)
            print(json.dumps(designs[-1]), flush=True)
    about = {"frames": FRAMES, "apart": APART, "level": 0.95, "draws": options.draws}
    about |= {"repetitions": options.repetitions, "truth": truth()}
    if options.out is not None:
        options.out.write_text(json.dumps(about | {"designs": designs}, indent=1) + "\n")


if __name__ == "__main__":
    main()
