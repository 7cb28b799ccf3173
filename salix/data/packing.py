"""Writer of packed data sets: resized 8-bit images in shards that are complete or absent."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from pathlib import Path
from typing import Any

from salix.atomic import atomic
from salix.data.content import source_identity
from salix.data.face_sources import face_rule
from salix.data.feed import Batch, batches
from salix.data.fitted import check_geometry, packings
from salix.data.loaders import Loader
from salix.data.notes import note
from salix.data.packed import Packed
from salix.data.packed_layout import (
    PackedLayout,
    PackedShard,
    Packing,
    items_digest,
)
from salix.data.packed_shards import DamagedShard, ShardReader
from salix.data.packing_directory import note_space, open_directory, write_description
from salix.data.packing_rows import FittedExamples, record_batch
from salix.data.source import Source
from salix.preprocess import Preprocess
from salix.progress import Progress
from salix.typing import InputError

SHARD_BYTES = 1 << 30
BATCH_ROWS, BATCH_BYTES = 64, 16 << 20  # at most, of a record batch
SETTINGS = ("size", "channels", "fit", "interpolation", "resize")


def pack(
    source: Source,
    to: Preprocess,
    out: Path | str,
    *,
    workers: int | None = None,
    loader: Loader = "threads",
    full_content: bool = False,
    shard_bytes: int = SHARD_BYTES,
    progress: bool = False,
) -> Packed:
    """Write the images of a source, fitted to a preprocessing, as a packed data set; return it.

    Ids, labels, groups, reference masks and the reasons of unreadable images are packed too. The
    mean and deviation of `to` do not count. Files are shards of at most `shard_bytes` (of one image
    at least), written under temporary names, synced and renamed. The same call after a stop
    verifies and keeps those that are whole, and writes the others. `workers` and `loader` are
    those of `salix.sweep`. `full_content` identifies the images by all of their content, see
    `salix.sweep`. Raises `InputError` for an `out` that contains anything else, other images or
    images of other settings, and for faces by a rule about the probabilities of a model.
    """
    out, to = Path(out), replace(to, mean=(0.0,), std=(1.0,))
    rule = face_rule(source)
    if rule is not None and rule.needs_two_classes:
        raise InputError(
            f"--several {rule.several} and --no-face {rule.no_face}: packed faces know no "
            "probabilities: give --several largest, first or all, and --no-face skip or whole"
        )
    for packing in packings(source):
        check_geometry(packing, to)
    examples = FittedExamples(source, to)
    if not len(examples.ids):
        raise InputError("the data has no images: give at least one")
    packing = Packing(_config(examples, shard_bytes, full=full_content))
    open_directory(out, packing)
    bar = Progress(out.name, len(examples.ids), show=progress)
    shards = _complete_shards(out, packing, examples.ids, bar)
    lengths = _lengths(packing)
    missing = [number for number in range(len(lengths)) if number not in shards]
    note_space(out, sum(lengths[n] for n in missing) * packing.layout.row_bytes)
    feed = _feed(examples, packing, missing, workers, loader)
    with bar:
        for number in missing:
            shards[number] = _write_shard(out, number, packing, examples, feed, bar)
    entries = tuple(shards[number] for number in sorted(shards))
    write_description(out, replace(packing, shards=entries))
    return Packed(out)


def _config(examples: FittedExamples, shard_bytes: int, *, full: bool) -> Mapping[str, Any]:
    """Return everything that decides the files, as JSON."""
    to, source = examples.to, examples.source
    row_bytes = PackedLayout(to, source.has_reference_masks, 1, "").row_bytes
    batch_rows = max(1, min(BATCH_ROWS, BATCH_BYTES // row_bytes, shard_bytes // row_bytes))
    config = {
        "preprocess": {name: getattr(to, name) for name in SETTINGS},
        "reference_masks": source.has_reference_masks,
        "count": len(examples.ids),
        "batch_rows": batch_rows,
        "shard_rows": max(batch_rows, shard_bytes // row_bytes // batch_rows * batch_rows),
        "ids": items_digest(examples.ids),
        "labels": items_digest(examples.labels),
        "groups": items_digest(examples.groups),
        "content": "full" if full else "sampled",
        "source": source_identity(source, full=full),
    }
    return json.loads(json.dumps(config))


def _lengths(packing: Packing) -> list[int]:
    """Return the rows of each shard."""
    count, rows = packing.config["count"], packing.config["shard_rows"]
    return [min(rows, count - start) for start in range(0, count, rows)]


def _name(number: int) -> str:
    return f"packed-{number:05d}.arrow"


def _complete_shards(
    out: Path, packing: Packing, ids: Sequence[str], bar: Progress
) -> dict[int, PackedShard]:
    """Return the shards that an earlier call has written, after comparing their digests."""
    shards = {}
    for number, rows in enumerate(_lengths(packing)):
        path = out / _name(number)
        if path.exists():
            try:
                reader = ShardReader(path, packing.layout, rows)
                start = number * packing.config["shard_rows"]
                if any(id != ids[i] for i, id in enumerate(reader.ids(), start)):
                    raise DamagedShard("it contains other images")
                shards[number] = _entry(path, reader, full=True)
            except DamagedShard as error:
                note(f"{path} is damaged ({error}) and is written again")
    bar.skip(sum(shard.rows for shard in shards.values()))
    return shards


def _entry(path: Path, reader: ShardReader, *, full: bool) -> PackedShard:
    digest = reader.digest(full=full)
    return PackedShard(path.name, reader.rows, path.stat().st_size, digest)


def _feed(
    examples: FittedExamples,
    packing: Packing,
    missing: list[int],
    workers: int | None,
    loader: Loader,
) -> Iterator[Batch]:
    rows, lengths = packing.config["batch_rows"], _lengths(packing)
    each = packing.config["shard_rows"] // rows
    numbers = chain.from_iterable(
        range(n * each, n * each + -(-lengths[n] // rows)) for n in missing
    )
    return batches(
        examples,
        examples.example,
        rows,
        numbers,
        workers=workers or os.cpu_count() or 1,
        loader=loader,
    )


def _write_shard(
    out: Path,
    number: int,
    packing: Packing,
    examples: FittedExamples,
    feed: Iterator[Batch],
    bar: Progress,
) -> PackedShard:
    import pyarrow as pa

    layout, rows = packing.layout, _lengths(packing)[number]
    path = out / _name(number)
    with (
        atomic(path) as unfinished,
        pa.OSFile(str(unfinished), "wb") as file,
        pa.ipc.new_file(file, layout.schema) as writer,
    ):
        for batch in islice(feed, -(-rows // layout.batch_rows)):
            writer.write_batch(record_batch(batch, examples, layout))
            bar.advance(len(batch.indices))
    return _entry(path, ShardReader(path, layout, rows), full=False)
