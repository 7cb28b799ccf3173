"""Tables 1 and 2 of the paper, recomputed from its released matrices where a user has them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

from salix.models.checkpoints.errors import existing_file, input_errors
from salix.models.checkpoints.numpy_pickle import NUMPY_CALLS, ArrayRecord, Converted
from salix.models.checkpoints.restricted_pickle import unpickle
from salix.stats import Interval, mean_interval
from salix.studies.instruction.densities import LEVELS, THRESHOLD, sparsify, word_density
from salix.studies.instruction.published import FOLLOWED, SETS, TUNED
from salix.typing import InputError

THRESHOLDS = (0, 3, 5, THRESHOLD, 9)
MODELS = ("llama_7b", "vicuna_7b")
SHORTEST = 5  # tokens of an answer in Table 1
PROMPTS, RATINGS = "datasets/FinalDataset.tsv", "datasets/AnnotatedDataset.tsv"
MATRICES = "results/attribution_interpret/ifa_"
VARYING = 1e-9  # range of densities above which a group has a variance
_DAMAGE = (OSError, ValueError, KeyError, IndexError, TypeError, OverflowError, EOFError)


@dataclass(frozen=True, eq=False)
class ReleasedMatrix:
    """Levels [n m] of the tokens of a prompt for those of its answer, with their texts."""

    levels: np.ndarray
    prompt: tuple[str, ...]
    answer: tuple[str, ...]


@dataclass(frozen=True)
class TableLine:
    """A comparison of two groups of densities: one-sided p of Welch's t-test, second > first.

    p is NaN where the values of a group are all equal, and `published`, the means in the paper,
    where there are none.
    """

    table: str
    subset: str
    threshold: int
    first: Interval
    second: Interval
    p: float
    published: tuple[float, float]


def read_matrix(path: Path) -> ReleasedMatrix:
    """Return the matrix of a file of the release, a pickle, without running anything in it.

    The pickle is a dictionary of `Explain`, an array of numbers, and the lists of texts `Input`
    and `Output`. Raises InputError, naming the file, for another content.
    """
    with input_errors(existing_file(path), "a matrix of the release", *_DAMAGE):
        data = path.read_bytes()
        tree = unpickle(BytesIO(data), NUMPY_CALLS)
        parts = {k: tree.get(k) for k in ("Explain", "Input", "Output")}
        record, texts = parts["Explain"], [parts["Input"], parts["Output"]]
        # Encoded as text, bytes of an array are up to twice as long.
        array = Converted(8 * len(data)).array(record) if isinstance(record, ArrayRecord) else None
        are_texts = all(isinstance(t, list) and all(isinstance(s, str) for s in t) for t in texts)
        if array is None or not are_texts or array.shape != (len(texts[0]), len(texts[1])):
            raise InputError("has no array Explain of the tokens Input and Output")
        return ReleasedMatrix(array, tuple(texts[0]), tuple(texts[1]))


def matrix_density(
    matrix: ReleasedMatrix, instruction: str, *, threshold: int = THRESHOLD
) -> float | None:
    """Return the density of an instruction, 0 of an empty answer; None where it is not found.

    `instruction` has parts that `|||` separates; what follows `&&&` is no instruction. Tokens of
    the instruction are those with a character of a part in the joined texts of the tokens.
    """
    if not matrix.answer:
        return 0.0
    texts = [t.replace("\u2581", " ").replace("<0x0A>", "\n") for t in matrix.prompt]
    ends = np.cumsum([len(text) for text in texts])
    joined, chosen = "".join(texts), np.zeros(len(texts), bool)
    for part in instruction.split("&&&")[0].replace("/n", "\n").split("|||"):
        part = part.strip()
        start = joined.find(part) if part else 0
        if start < 0:
            return None
        if part:
            chosen |= (ends > start) & (ends - [len(t) for t in texts] < start + len(part))
    levels = matrix.levels
    # Released matrices are levels already: dividing again would move their rounding.
    rounded = levels.min() >= 0 and levels.max() == LEVELS and bool((levels % 1 == 0).all())
    sparse = np.where(levels > threshold, levels, 0)
    density = word_density(sparse if rounded else sparsify(levels, threshold=threshold))
    return float(density[chosen].sum() / np.log2(2 + chosen.sum()))


def table_lines(folder: Path) -> tuple[tuple[TableLine, ...], tuple[tuple[str, str], ...]]:
    """Return the lines of both tables at each threshold, and the files left out with the reason.

    `folder` has the layout of the release. Table 1 compares answers that follow the instruction
    (rating 2 and above) with those that do not (rating 1), of the tuned model; Table 2 the model
    before and after tuning.
    """
    skipped: list[tuple[str, str]] = []
    prompts = {row["ID"]: row["Instruct&Context"] for row in _rows(folder / PROMPTS)}
    matrices = {model: _matrices(folder, model, prompts, skipped) for model in MODELS}
    ratings = {
        row["File"].removesuffix(".pkl"): float(row["Rating"])
        for row in _rows(folder / RATINGS)
        if row["Model"].lower() == MODELS[1]
    }
    lines = []
    for threshold in THRESHOLDS:
        densities = {
            model: {
                name: matrix_density(matrix, prompts[name], threshold=threshold)
                for name, matrix in matrices[model].items()
            }
            for model in MODELS
        }
        if threshold == THRESHOLDS[0]:
            for model, values in densities.items():
                lost = [name for name, value in values.items() if value is None]
                skipped += [(f"{model}/{name}", "the instruction is not found") for name in lost]
        for subset in FOLLOWED:
            first, second = _followed(densities[MODELS[1]], ratings, matrices[MODELS[1]], subset)
            lines.append(_line("1", subset, threshold, first, second, FOLLOWED))
            both = [_of_set(densities[model], subset) for model in MODELS]
            lines.append(_line("2", subset, threshold, both[0], both[1], TUNED))
    return tuple(lines), tuple(skipped)


def _subset(name: str) -> str:
    return SETS.get(name.split("_")[0], "MT-Bench")


def _of_set(densities: Mapping[str, float | None], subset: str) -> list[float]:
    return [v for name, v in densities.items() if _subset(name) == subset and v is not None]


def _followed(densities: Any, ratings: Any, matrices: Any, subset: str) -> Any:
    groups: tuple[list[float], list[float]] = [], []
    for name, value in densities.items():
        rating, long = ratings.get(name, 0), len(matrices[name].answer) >= SHORTEST
        if _subset(name) == subset and value is not None and rating > 0 and long:
            groups[rating >= 2].append(value)
    return groups


def _line(
    table: str,
    subset: str,
    threshold: int,
    first: Sequence[float],
    second: Sequence[float],
    published: Mapping[str, tuple[float, float]],
) -> TableLine:
    p = np.nan
    if all(len(group) > 1 and np.ptp(group) > VARYING for group in (first, second)):
        test = stats.ttest_ind(first, second, equal_var=False, alternative="less")
        p = float(np.asarray(test)[1])
    known = published[subset] if threshold == THRESHOLD else (np.nan, np.nan)
    a, b = mean_interval(first), mean_interval(second)
    return TableLine(table, subset, threshold, a, b, p, known)


def _matrices(
    folder: Path, model: str, prompts: Mapping[str, str], skipped: list[tuple[str, str]]
) -> dict[str, ReleasedMatrix]:
    place = folder / f"{MATRICES}{model}"
    if not place.is_dir():
        raise InputError(
            f"--matrices {folder} lacks {MATRICES}{model}: give the folder of the release, with "
            "datasets and results"
        )
    matrices = {}
    for path in sorted(place.glob("*.pkl")):
        try:
            if path.stem in prompts:
                matrices[path.stem] = read_matrix(path)
        except InputError as error:
            skipped.append((f"{model}/{path.stem}", str(error)))
    return matrices


def _rows(path: Path) -> list[dict[str, str]]:
    with (
        input_errors(existing_file(path), "a table of the release", *_DAMAGE, csv.Error),
        path.open(encoding="utf-8", newline="") as file,
    ):
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
