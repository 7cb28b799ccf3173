"""Ids and content digests of a run's images, by which a changed image is named."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from salix.atomic import atomic

NAME = "inputs.arrow"
DIGEST_BYTES = 8  # of a sha256
ROWS = 10_000  # of a record batch
SHOWN = 5  # ids in a message


def write_inputs(path: Path, ids: Iterable[str], digests: bytes | bytearray) -> None:
    """Write the ids of a run's images with `DIGEST_BYTES` bytes of each one's digest, once."""
    import pyarrow as pa

    if not digests or (path / NAME).exists():
        return
    kind = pa.binary(DIGEST_BYTES)
    schema = pa.schema([("id", pa.string()), ("content", kind)])
    options = pa.ipc.IpcWriteOptions(compression="zstd")
    with (
        atomic(path / NAME) as unfinished,
        pa.ipc.new_file(str(unfinished), schema, options=options) as file,
    ):
        for some, contents in _pieces(ids, digests):
            file.write_batch(pa.record_batch([pa.array(some), pa.array(contents, kind)], schema))


def changed_images(path: Path, ids: Iterable[str], digests: bytes | bytearray) -> str:
    """Return a sentence on the images whose content is not that of `write_inputs`.

    It is "" where the file is not there, or of other ids.
    """
    import pyarrow as pa

    changed, count = [], 0
    try:
        with pa.OSFile(str(path / NAME)) as source, pa.ipc.open_file(source) as file:
            pieces = _pieces(ids, digests)
            for number in range(file.num_record_batches):
                stored = file.get_batch(number).to_pydict()
                some, contents = next(pieces, ([], []))
                if stored["id"] != some:
                    return ""
                pairs = zip(some, stored["content"], contents, strict=True)
                names = [name for name, before, now in pairs if before != now]
                changed += names[: SHOWN - len(changed)]
                count += len(names)
    except (OSError, pa.ArrowException, ValueError):
        return ""
    if not count:
        return ""
    more = f" and {count - len(changed)} more" if count > len(changed) else ""
    return f"changed since the run began: {', '.join(map(repr, changed))}{more}"


def _pieces(
    ids: Iterable[str], digests: bytes | bytearray
) -> Iterator[tuple[list[str], list[bytes]]]:
    rest, start = iter(ids), 0
    while some := list(islice(rest, ROWS)):
        contents = [
            bytes(digests[i : i + DIGEST_BYTES])
            for i in range(start, start + DIGEST_BYTES * len(some), DIGEST_BYTES)
        ]
        start += DIGEST_BYTES * len(some)
        yield some, contents
