"""The images that runs share, and their values side by side."""

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np

from salix.analysis import frame
from salix.store import Run


def shared_images(runs: Sequence[Run]) -> tuple[list[str], list[np.ndarray]]:
    """Return the ids that every run measured, in the first run's order, and their places."""
    ids = [frame.measured(run)["id"] for run in runs]
    if all(len(i) == len(ids[0]) and (i == ids[0]).all() for i in ids[1:]):
        return ids[0].tolist(), [np.arange(len(ids[0]))] * len(runs)
    places = [{id: n for n, id in enumerate(i)} for i in ids]
    shared = [id for id in ids[0] if all(id in p for p in places)]
    return shared, [np.array([p[id] for id in shared], int) for p in places]


def scores(runs: Sequence[Run]) -> Mapping[str, tuple[np.ndarray, np.ndarray]]:
    """Return leads and labels [run, image] of each group, over the images that all runs share.

    A group with a run of more classes is left out; empty where no image is shared.
    """
    shared, places = shared_images(runs)
    if not shared:
        return {}
    found: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for run, place in zip(runs, places, strict=True):
        if len(run.classes) == 2:
            pair = frame.lead(run)[place], frame.measured(run)["label"][place]
            found.setdefault(run.group, []).append(pair)
    sizes = Counter(run.group for run in runs)
    return {
        group: (np.stack([z for z, _ in of]), np.stack([y for _, y in of]))
        for group, of in found.items()
        if len(of) == sizes[group]
    }


def values(runs: Sequence[Run], names: Sequence[str]) -> Mapping[str, Mapping[str, np.ndarray]]:
    """Return [run, image] of each number for each group, over the images that all runs share.

    A group none of whose runs has the number is left out; empty where no image is shared.
    `accuracy` is 1 for a right prediction, 0 for a wrong one and NaN without a label.
    """
    shared, places = shared_images(runs)
    if not shared:
        return {}
    found: dict[str, dict[str, list[np.ndarray]]] = {}
    for run, place in zip(runs, places, strict=True):
        columns = frame.measured(run)
        hits = np.where(columns["label"] < 0, np.nan, columns["predicted"] == columns["label"])
        columns = {"accuracy": hits} | columns
        for name in names:
            if name in columns and columns[name].ndim == 1:
                row = columns[name][place].astype(np.float64)
                found.setdefault(name, {}).setdefault(run.group, []).append(row)
    return {n: {g: np.stack(v) for g, v in of.items()} for n, of in found.items()}
