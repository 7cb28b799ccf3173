"""Identities and names of the data sets and detectors of runs."""

import json
import re
from collections.abc import Sequence
from typing import Any

from salix.analysis.frame import Frame

WORD = re.compile(r"[^\W_]+")
CHOICES = ("thumbs", "targets", "segments")  # parts of the data's identity beside the images
LISTED = 2  # names of runs that name a data set without a word of its own


def data_text(frame: Frame) -> str:
    """Return the identity of the images of a run, the same for runs over the same images."""
    data = frame.run.manifest["config"].get("data", {})
    return json.dumps({k: v for k, v in data.items() if k not in CHOICES}, sort_keys=True)


def weights_key(frame: Frame) -> tuple[Any, Any]:
    """Return the identity of a run's detector: its model and weights."""
    config = frame.run.manifest["config"]
    return config.get("model"), config.get("weights") or frame.run.name


def shared_names(members: Sequence[Sequence[Frame]], frames: Sequence[Frame]) -> tuple[str, ...]:
    """Name sets of the runs in `frames` by the words that all runs of a set and no others have.

    Where there is no such word, by those that all runs of a set share, and not all of `frames`;
    then by their one group, or the names of the first runs.
    """
    words = {f.run.name: WORD.findall(f.run.name) for f in frames}
    everywhere = set.intersection(*map(set, words.values()))
    names = []
    for own in members:
        runs = [f.run.name for f in own]
        others = {w for name, listed in words.items() if name not in runs for w in listed}
        shared = [w for w in dict.fromkeys(words[runs[0]]) if all(w in words[r] for r in runs)]
        distinct = [w for w in shared if w not in others]
        rest = [w for w in shared if w not in everywhere]
        groups = list(dict.fromkeys(f.run.group for f in own))
        listed = ", ".join(runs[:LISTED]) + (" …" if len(runs) > LISTED else "")
        names.append(" ".join(distinct or rest) or (groups[0] if len(groups) == 1 else listed))
    if len(set(names)) < len(names):
        return tuple(", ".join(f.run.name for f in own) for own in members)
    return tuple(names)
