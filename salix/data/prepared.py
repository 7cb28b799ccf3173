"""Random access to the examples of data sets that TensorFlow Datasets has prepared.

ArrayRecord and Parquet files are read one record at a time, without TensorFlow; TFRecord files are
read by TensorFlow into memory.
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

from salix.optional import import_extra
from salix.typing import InputError

# Exceptions of tensorflow-datasets for unknown names and missing files
_ERRORS = (ValueError, AssertionError, LookupError, OSError, ImportError, AttributeError)
_REMEDY = "--file_format=array_record"

FeatureReader = Callable[[int, tuple[str, ...]], Mapping[str, Any]]  # of an index and names


class SplitRange(NamedTuple):
    """Consecutive examples of one split."""

    split: str
    first: int
    length: int


def import_tfds() -> Any:
    """Return the module tensorflow_datasets; raises `InputError` where it is not installed."""
    return import_extra("tensorflow_datasets", "tensorflow-datasets", "tfds")


def open_builder(place: str, name: str, data_dir: Path | str | None) -> Any:
    """Return the builder of a prepared data set; `place` names it in errors."""
    tfds = import_tfds()
    with _input_errors(place, "check the name and TFDS_DATA_DIR"):
        builder = tfds.builder(name, data_dir=data_dir)
        splits = builder.info.splits
    if not splits:
        raise InputError(
            f"{place} is not prepared in {builder.data_dir}: run tfds build {name} "
            f"{_REMEDY}, or set TFDS_DATA_DIR to where it is"
        )
    return builder


def split_ranges(place: str, splits: Any, split: str) -> tuple[SplitRange, ...]:
    """Return the ranges of full splits that make up `split`, in its order."""
    starts = {}
    for name, info in splits.items():
        first = 0
        for shard in info.file_instructions:
            starts[shard.filename] = name, first
            first += shard.examples_in_shard
    with _input_errors(place, f"there are {', '.join(splits)}"):
        parts = splits[split].file_instructions
    ranges = []
    for part in parts:
        name, first = starts[part.filename]
        if part.take:
            ranges.append(SplitRange(name, first + part.skip, part.take))
    if min((r.length for r in ranges), default=0) < 1:
        raise InputError(f"{place} contains no example: choose more of {', '.join(splits)}")
    for former, latter in itertools.pairwise(sorted(ranges)):
        if former.split == latter.split and former.first + former.length > latter.first:
            raise InputError(f"{place} has examples of {former.split} twice: name each once")
    return tuple(ranges)


def open_reader(
    place: str,
    builder: Any,
    split: str,
    ranges: Sequence[SplitRange],
    names: tuple[str, ...],
    memory: int,
) -> FeatureReader:
    """Return the reader of the examples in `ranges`, from files at random or from memory."""
    formats = {format.value for format in builder.info.available_file_formats()}
    if "array_record" not in formats:
        _check_memory(place, builder.info.splits, ranges, "parquet" in formats, memory)
    for format in ("array_record", "parquet"):
        if format in formats:
            return _file_reader(place, builder, ranges, format)
    if importlib.util.find_spec("tensorflow") is None:
        raise InputError(
            f"{place} is prepared as {', '.join(sorted(formats))}, which TensorFlow alone reads: "
            f"run tfds build {builder.name} {_REMEDY}, or install tensorflow"
        )
    return _memory_reader(place, builder, split, names)


def _check_memory(
    place: str, splits: Any, ranges: Sequence[SplitRange], full_splits: bool, memory: int
) -> None:
    """Raise `InputError` where the ranges, or their full splits, take more than `memory` bytes."""
    lengths: Counter[str] = Counter()
    for r in ranges:
        lengths[r.split] += r.length
    size = 0.0
    for name, length in lengths.items():
        share = 1 if full_splits else length / splits[name].num_examples
        size += int(splits[name].num_bytes) * share
    if size > memory:
        raise InputError(
            f"{place} takes {size:,.0f} bytes of memory, over {memory:,}, as its files are not "
            f"array_record: run tfds build with {_REMEDY}, or give memory= to Dataset"
        )


def _file_reader(
    place: str, builder: Any, ranges: Sequence[SplitRange], format: str
) -> FeatureReader:
    # Full splits are opened: tensorflow-datasets 4.9.10 cannot open a part of a Parquet file.
    tfds, features = import_tfds(), builder.info.features
    raw = tfds.decode.DeserializeMethod.RAW_BYTES
    with _input_errors(place, "prepare it anew"):
        sources = {
            split: builder.as_data_source(split, deserialize_method=raw, file_format=format)
            for split in {r.split for r in ranges}
        }
    for split, source in sources.items():
        listed = builder.info.splits[split].num_examples
        if len(source) != listed:  # Parquet files of over 100 examples that 4.9.10 has written
            raise InputError(
                f"{place}: the files of {split} contain {len(source)} examples of {listed}: run "
                f"tfds build {builder.name} {_REMEDY}"
            )
    ends = list(itertools.accumulate(r.length for r in ranges))
    # Only the requested features of a record are parsed, and images stay files.
    selection = cache(lambda names: tfds.features.FeaturesDict({n: features[n] for n in names}))

    def read(index: int, names: tuple[str, ...]) -> Mapping[str, Any]:
        position = bisect.bisect_right(ends, index)
        split, first, length = ranges[position]
        record = sources[split][first + index - (ends[position] - length)]
        undecoded = _undecoded_images(features, names)
        return selection(names).deserialize_example_np(record, decoders=undecoded)

    return read


def _memory_reader(place: str, builder: Any, split: str, names: tuple[str, ...]) -> FeatureReader:
    tfds, features = import_tfds(), builder.info.features
    tf: Any = importlib.import_module("tensorflow")
    with contextlib.suppress(RuntimeError):  # already initialised; else it would take the GPU
        tf.config.set_visible_devices([], "GPU")
    undecoded = _undecoded_images(features, names)
    selection = tfds.decode.PartialDecoding(dict.fromkeys(names, True), undecoded)
    in_order = tfds.ReadConfig(interleave_cycle_length=1, try_autocache=False)
    with _input_errors(place, "prepare it anew", tf.errors.OpError):
        data = builder.as_dataset(
            split=split, shuffle_files=False, decoders=selection, read_config=in_order
        )
        examples = list(tfds.as_numpy(data))
    return lambda index, names: examples[index]


def _undecoded_images(features: Any, names: tuple[str, ...]) -> dict[str, Any]:
    tfds = import_tfds()
    images = [n for n in names if isinstance(features[n], tfds.features.Image)]
    return {n: tfds.decode.SkipDecoding() for n in images}


@contextlib.contextmanager
def _input_errors(place: str, remedy: str, *errors: type[Exception]) -> Iterator[None]:
    """Raise exceptions of tensorflow-datasets, and `errors`, as an `InputError`."""
    try:
        yield
    except (*_ERRORS, *errors) as error:
        message = str(error).partition("\n")[0].rstrip(".") or type(error).__name__
        raise InputError(f"{place}: {message}; {remedy}") from None
