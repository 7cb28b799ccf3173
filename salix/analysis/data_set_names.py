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
    """Name some of the runs in `frames`, set by set, by words that no other set's runs all share.

    These are the words that all runs of a set share, and not all of `frames`; the group that they
    share, where there is no such word, or else the names of the first runs.
    """
    words = {f: WORD.findall(f.run.name) for f in frames}
    common = set.intersection(*map(set, words.values()))
    names = []
    for own in members:
        shared = [w for w in dict.fromkeys(words[own[0]]) if all(w in words[f] for f in own)]
        groups = list(dict.fromkeys(f.run.group for f in own))
        runs = [f.run.name for f in own]
        listed = ", ".join(runs[:LISTED]) + (" …" if len(runs) > LISTED else "")
        named = " ".join(w for w in shared if w not in common)
        names.append(named or (groups[0] if len(groups) == 1 else listed))
    if len(set(names)) < len(names):
        return tuple(", ".join(f.run.name for f in own) for own in members)
    return tuple(names)
