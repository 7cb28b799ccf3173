"""The files that TensorFlow Datasets has prepared: which examples a split takes, and each of them.

ArrayRecord and Parquet files are read at random, without TensorFlow; TFRecord files by TensorFlow,
into memory.
"""

import bisect
import contextlib
import importlib.util
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from salix.typing import InputError

# What tensorflow-datasets raises, for a name that it does not know and for files that it misses
_ERRORS = (ValueError, AssertionError, LookupError, OSError, ImportError, AttributeError)
_REMEDY = "--file_format=array_record"

Get = Callable[[int, tuple[str, ...]], Mapping[str, Any]]  # some features of one example


class Run(NamedTuple):
    """Examples of one split that follow each other."""

    split: str
    first: int
    length: int


def package() -> Any:
    """Return the module tensorflow_datasets."""
    try:
        return importlib.import_module("tensorflow_datasets")
    except ImportError as error:
        raise InputError(
            f"tensorflow-datasets cannot be imported ({error}): pip install 'salix[tfds]'"
        ) from None


def builder_of(place: str, name: str, data_dir: Path | str | None) -> Any:
    """Return what knows a prepared data set; `place` names it in errors."""
    tfds = package()
    with _told(place, "check the name and TFDS_DATA_DIR"):
        builder = tfds.builder(name, data_dir=data_dir)
        splits = builder.info.splits
    if not splits:
        raise InputError(
            f"{place} is not prepared in {builder.data_dir}: run tfds build {name} "
            f"{_REMEDY}, or set TFDS_DATA_DIR to where it is"
        )
    return builder


def runs_of(place: str, splits: Any, split: str) -> list[Run]:
    """Return what a split takes of whole splits, in its order."""
    begins = {}
    for name, info in splits.items():
        first = 0
        for shard in info.file_instructions:
            begins[shard.filename] = name, first
            first += shard.examples_in_shard
    with _told(place, f"there are {', '.join(splits)}"):
        parts = splits[split].file_instructions
    runs = []
    for part in parts:
        name, first = begins[part.filename]
        if part.take:
            runs.append(Run(name, first + part.skip, part.take))
    if min((run.length for run in runs), default=0) < 1:
        raise InputError(f"{place} holds no example: take more of {', '.join(splits)}")
    for run, after in itertools.pairwise(sorted(runs)):
        if run.split == after.split and run.first + run.length > after.first:
            raise InputError(f"{place} takes examples of {run.split} twice: take each once")
    return runs


def opened(
    place: str, builder: Any, split: str, runs: Sequence[Run], names: tuple[str, ...], memory: int
) -> Get:
    """Return what gets the examples: out of the files as they are asked for, or out of memory."""
    formats = {format.value for format in builder.info.available_file_formats()}
    if "array_record" not in formats:
        _check_memory(place, builder.info.splits, runs, "parquet" in formats, memory)
    for format in ("array_record", "parquet"):
        if format in formats:
            return _at_random(place, builder, runs, format)
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{place} is prepared as {', '.join(sorted(formats))}, which TensorFlow alone reads: "
            f"run tfds build {builder.name} {_REMEDY}, or install tensorflow"
        )
    return _in_memory(place, builder, split, names)


def _check_memory(place: str, splits: Any, runs: Sequence[Run], whole: bool, memory: int) -> None:
    """Raise `InputError` for more than `memory` bytes of the `whole` splits, or of the parts."""
    lengths: Counter[str] = Counter()
    for run in runs:
        lengths[run.split] += run.length
    share = {of: 1 if whole else n / splits[of].num_examples for of, n in lengths.items()}
    held = sum(int(splits[of].num_bytes) * part for of, part in share.items())
    if held > memory:
        raise InputError(
            f"{place} takes {held:,.0f} bytes of memory, over {memory:,}, as its files are no "
            f"array_record: run tfds build with {_REMEDY}, or give memory= to Dataset"
        )


def _at_random(place: str, builder: Any, runs: Sequence[Run], format: str) -> Get:
    # Whole splits are opened: tensorflow-datasets 4.9.10 takes no part of a Parquet file.
    tfds, features = package(), builder.info.features
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    with _told(place, "prepare it anew"):
        sources = {
            split: builder.as_data_source(split, deserialize_method=raw, file_format=format)
            for split in {run.split for run in runs}
        }
    for split, source in sources.items():
        listed = builder.info.splits[split].num_examples
        if len(source) != listed:  # Parquet files of over 100 examples that 4.9.10 has written
            raise InputError(
                f"{place}: the files of {split} hold {len(source)} examples of {listed}: run tfds "
                f"build {builder.name} {_REMEDY}"
            )
    ends = list(itertools.accumulate(run.length for run in runs))
    # Of a record, no more is parsed than is asked for, and images stay files.
    some = cache(lambda names: tfds.features.FeaturesDict({n: features[n] for n in names}))

    def get(index: int, names: tuple[str, ...]) -> Mapping[str, Any]:
        at = bisect.bisect_right(ends, index)
        run = runs[at]
        record = sources[run.split][run.first + index - (ends[at] - run.length)]
        return some(names).deserialize_example_np(record, decoders=_undecoded(features, names))

    return get


def _in_memory(place: str, builder: Any, split: str, names: tuple[str, ...]) -> Get:
    tfds, features = package(), builder.info.features
    tf: Any = importlib.import_module("tensorflow")
    with contextlib.suppress(RuntimeError):  # it has begun; else it would take the accelerator
        tf.config.set_visible_devices([], "GPU")
    some = tfds.decode.PartialDecoding(dict.fromkeys(names, True), _undecoded(features, names))
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    with _told(place, "prepare it anew", tf.errors.OpError):
        data = builder.as_dataset(
            split=split, shuffle_files=False, decoders=some, read_config=in_order
        )
        examples = list(tfds.as_numpy(data))
    return lambda index, names: examples[index]


def _undecoded(features: Any, names: tuple[str, ...]) -> dict[str, Any]:
    tfds = package()
    images = [n for n in names if isinstance(features[n], tfds.features.Image)]
    return {n: tfds.decode.SkipDecoding() for n in images}


@contextlib.contextmanager
def _told(place: str, remedy: str, *errors: type[Exception]) -> Iterator[None]:
    """Turn what tensorflow-datasets raises, and `errors`, into an `InputError`."""
    try:
        yield
    except (*_ERRORS, *errors) as error:
        said = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise InputError(f"{place}: {said}; {remedy}") from None
