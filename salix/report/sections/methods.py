"""The paragraph that says what was done, ready to paste into a paper."""

from collections.abc import Sequence

from salix.analysis import frame
from salix.analysis.summary import Numbers
from salix.store import Run

ALWAYS = (
    "Each map was scaled to [0, 1] by its own least and greatest value and stored in 8 bits. "
    "Histogram entropy is the Shannon entropy of its 8-bit values over the greatest possible "
    "(Crum et al., 2023, arXiv:2303.11969); spatial entropy that of the map read as a distribution "
    "over its cells (Bhatt et al., 2020, arXiv:2005.00631); Gini as in Hurley and Rickard (2009, "
    "arXiv:0811.4706)."
)


def paragraphs(runs: Sequence[Run], numbers: Numbers) -> list[str]:
    """Return the methods: maps, measures with their sources, statistics, what was left out."""
    return [_maps(runs), *_measures(runs), _statistics(numbers), _left_out(numbers)]


def _maps(runs: Sequence[Run]) -> str:
    models = _listed(dict.fromkeys(str(r.manifest["config"].get("model", "?")) for r in runs))
    said = {key: _settings(runs, key) for key in ("attribution", "pooling", "score", "seed")}
    about = {key: _about(runs, key) for key in ("salix", "jax", "device")}
    grids = _listed(dict.fromkeys(" x ".join(map(str, r.grid)) for r in runs))
    explained = _listed(dict.fromkeys(frame.explained(r) for r in runs))
    images = sorted({frame.total(r) for r in runs})
    count = f"{images[0]}" if len(images) == 1 else f"{images[0]} to {images[-1]}"
    return (
        f"Salience maps of {len(runs)} model{'s' * (len(runs) != 1)} ({models}) were computed for "
        f"{count} images with {said['attribution']} of the score {said['score']}, explaining "
        f"{explained}, channels pooled by {said['pooling']}, on a grid of {grids} cells, with "
        f"Salix {about['salix']} (JAX {about['jax']}, {about['device']}, seed {said['seed']}). "
        f"{ALWAYS}"
    )


def _measures(runs: Sequence[Run]) -> list[str]:
    """Each measure as it was configured, then what its columns mean, once."""
    used = dict.fromkeys(m for r in runs for m in r.manifest["config"].get("measures", ()))
    about = dict.fromkeys(q.meaning for q in frame.columns(runs).values() if q.meaning)
    if not used and not about:
        return []
    listed = f"Measures: {'; '.join(used)}. " if used else ""
    return [listed + " ".join(about)]


def _statistics(numbers: Numbers) -> str:
    of = sorted({len(g.runs) for g in numbers.groups})
    runs = f"{of[0]}" if len(of) == 1 else f"{of[0]} to {of[-1]}"
    return (
        f"Models were grouped by way of training, {runs} run{'s' * (of != [1])} a group. Intervals "
        "are 95 %: over the images of one run by Student's t (AUC: DeLong et al., 1988, on the "
        "logit scale; shares: Wilson, 1927), over the runs of a group by Student's t. Groups were "
        "compared on the images that all runs share, with intervals over runs and images, "
        "permutation tests of the runs' group labels where both groups have several runs and sign "
        "flips over images otherwise (AUC: DeLong's paired test), and p-values corrected by Holm "
        "(1979) over all comparisons; agreement between runs was compared by its interval alone. "
        "Runs were resampled, never pairs of runs."
    )


def _left_out(numbers: Numbers) -> str:
    told = {"skipped": "could not be read", "constant_map": "had a map without contrast"}
    parts = [
        f"{sum(getattr(r, key) for r in numbers.runs)} {what}"
        for key, what in (told | {"not_finite": "had logits or maps that are not finite"}).items()
    ]
    total = sum(r.images + r.skipped for r in numbers.runs)
    return f"Of {total} rows, {', '.join(parts)}; they take no part in the means they leave open."


def _settings(runs: Sequence[Run], key: str) -> str:
    return _listed(dict.fromkeys(str(r.manifest["config"].get(key, "not recorded")) for r in runs))


def _about(runs: Sequence[Run], key: str) -> str:
    return _listed(dict.fromkeys(str(r.manifest["about"].get(key, "?")) for r in runs))


def _listed(names: dict[str, None]) -> str:
    found = list(names)
    return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}"
