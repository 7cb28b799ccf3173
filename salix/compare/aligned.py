"""Rows of several runs in one order of their shared images, read piece by piece."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from salix.analysis.frame import Frame
from salix.store import Run

NEUTRAL = "descriptor"
NUMBERS = ("region_area", "region_mass", "region_absolute", "region_drop")
Pieces = Iterator[tuple[np.ndarray, dict[str, np.ndarray]]]


@dataclass(frozen=True, eq=False)
class AlignedRuns:
    """Runs over the images that all of them measured, `ids`, in the order of the run `reference`.

    `places` has the place of each run's rows among the ids, -1 for an image that another run
    skipped. The reference is the same run whatever the order in which runs are named.
    """

    frames: tuple[Frame, ...]
    names: tuple[str, ...]
    reference: int
    ids: np.ndarray
    places: tuple[np.ndarray, ...]

    @classmethod
    def of(cls, frames: Sequence[Frame]) -> "AlignedRuns":
        """Align runs by the ids of their rows."""
        runs = [frame.run for frame in frames]
        names = model_names(runs)
        reference = min(range(len(runs)), key=lambda m: (runs[m].manifest["hash"], names[m]))
        sets = [set(f.ids.tolist()) for f in frames]
        ids = [i for i in frames[reference].ids.tolist() if all(i in s for s in sets)]
        place = {id: n for n, id in enumerate(ids)}
        places = (np.array([place.get(i, -1) for i in f.ids.tolist()], int) for f in frames)
        return cls(tuple(frames), names, reference, np.array(ids, object), tuple(places))

    @property
    def runs(self) -> tuple[Run, ...]:
        """The runs, in the order in which they were named."""
        return tuple(frame.run for frame in self.frames)

    def ordered(self, m: int, values: np.ndarray) -> np.ndarray:
        """Return values of run m's rows in the order of the ids."""
        place = self.places[m]
        order = np.zeros(len(self.ids), int)
        order[place[place >= 0]] = np.flatnonzero(place >= 0)
        return values[order]

    def scalars(self, name: str, missing: float) -> np.ndarray:
        """Return a scalar column of all runs, [models images]; `missing` where a run has none."""
        none = np.full(len(self.ids), missing)
        columns = (f.scalars.get(name) for f in self.frames)
        return np.stack([none if c is None else self.ordered(m, c) for m, c in enumerate(columns)])

    def stream(self, m: int, names: Sequence[str]) -> Pieces:
        """Yield pieces of columns that run m has, with the places of their rows among the ids."""
        first, run = 0, self.runs[m]
        for piece in run.iterate([n for n in names if n in run.columns]):
            own = self.places[m][first : first + len(next(iter(piece.values())))]
            first += len(own)
            if (own >= 0).all():
                yield own, piece
            elif (own >= 0).any():
                yield own[own >= 0], {n: v[own >= 0] for n, v in piece.items()}

    def segment_numbers(self) -> dict[str, np.ndarray]:
        """Return the numbers of each segment, [models images segments]."""
        shape = (len(self.names), len(self.ids), *self.runs[0].columns["region_area"].shape)
        numbers: dict[str, np.ndarray] = {n: np.full(shape, np.nan, np.float32) for n in NUMBERS}
        numbers["region_rank"] = np.zeros(shape, np.int32)
        for m in range(len(self.names)):
            for rows, piece in self.stream(m, (*NUMBERS, "region_rank")):
                for name, values in piece.items():
                    numbers[name][m, rows] = values
        return numbers

    def maps(self, name: str, side: int) -> np.ndarray:
        """Return maps on the grid, [models images cells]."""
        maps = np.zeros((len(self.names), len(self.ids), side * side), np.float16)
        for m, own in enumerate(maps):
            for rows, piece in self.stream(m, [name]):
                own[rows] = piece[name].reshape(len(rows), -1)
        return maps

    def embeddings(self, image: np.ndarray, region: np.ndarray) -> dict[str, np.ndarray]:
        """Return embeddings [regions d] of some regions, sorted by image: neutral, and by model."""
        wanted = [(NEUTRAL, self.reference, "region_descriptor")]
        wanted += [(name, m, "region_features") for m, name in enumerate(self.names)]
        embeddings = {}
        for name, m, column in wanted:
            if column not in self.runs[m].columns:
                continue
            points = np.zeros((len(image), self.runs[m].columns[column].shape[-1]), np.float32)
            row = np.full(len(self.ids), -1)
            for rows, piece in self.stream(m, [column]):
                row[rows] = np.arange(len(rows))
                members = np.flatnonzero(row[image] >= 0)
                points[members] = piece[column][row[image[members]], region[members]]
                row[rows] = -1
            embeddings[name] = points
        return embeddings

    def confidence(self) -> np.ndarray:
        """Return the softmax of each model's predicted class, NaN without logits."""
        confidence = np.full((len(self.names), len(self.ids)), np.nan, np.float32)
        for m, run in enumerate(self.runs):
            for rows, piece in self.stream(m, ["logits"]) if "logits" in run.columns else ():
                logits = piece["logits"].astype(np.float64)
                odds = np.exp(logits - logits.max(1, keepdims=True))
                confidence[m, rows] = odds.max(1) / odds.sum(1)
        return confidence


def model_names(runs: Sequence[Run]) -> tuple[str, ...]:
    """Return a name for each run, unique: with its folder, or a number for a run given twice."""
    names = [run.name for run in runs]
    folders = [f"{run.name} ({run.path.name})" for run in runs]
    unique = [f if names.count(n) > 1 else n for n, f in zip(names, folders, strict=True)]
    if len({r.path.resolve() for r in runs}) < len(runs) or len(set(unique)) < len(unique):
        unique = names
    numbered = [
        f"{n} ({unique[: i + 1].count(n)})" if unique[:i].count(n) else n
        for i, n in enumerate(unique)
    ]
    return tuple(f"model {n}" if n in (NEUTRAL, "features") else n for n in numbered)
