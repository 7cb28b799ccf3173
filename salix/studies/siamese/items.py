"""Items of a study of pairs: their integrated sums, computed once and cached in files."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int

from salix.data.notes import note
from salix.progress import Progress
from salix.studies.siamese.attribution import IntegratedSide, PairAttribution
from salix.studies.trial_files import read_arrays, write_arrays
from salix.typing import InputError

VERSION = 2  # of sums: raised where their numbers change


@dataclass(frozen=True)
class Item:
    """An input with its integrated sums: the groups are its tokens, or the parts of a face.

    `words` numbers the word of each group, and `word_names` are their texts: for a sentence the
    special tokens are words of their own. `spans` are the first character of a word in the
    sentence and the one after its last, equal for special tokens; a face has none.
    """

    name: str
    groups: tuple[str, ...]
    words: Int[np.ndarray, " g"]
    word_names: tuple[str, ...]
    side: IntegratedSide
    spans: Int[np.ndarray, "w 2"] | None = None

    def row(self) -> dict[str, Any]:
        """Return the steps of the item and its residual."""
        side = self.side
        return {"name": self.name, "steps": int(side.steps), "residual": float(side.residual)}


@runtime_checkable
class ItemEncoder(Protocol):
    """Encoder of items by their names: sentences, or files of faces."""

    @property
    def name(self) -> str:
        """Name of the encoder."""
        ...

    @property
    def digest(self) -> Any:
        """Digest of everything but the item that decides its numbers."""
        ...

    def check(self, method: PairAttribution) -> None:
        """Raise `InputError` for settings that no item can be attributed with."""
        ...

    def content(self, name: str) -> str:
        """Return what decides an item's numbers."""
        ...

    def integrate(self, method: PairAttribution, name: str, /) -> Item:
        """Return the sums of an item; raises `InputError` for an unusable one."""
        ...

    def picture(self, name: str) -> str:
        """Return the picture of an item as a data address, empty of a sentence."""
        ...


def integrate_items(
    folder: Path, method: PairAttribution, encoder: ItemEncoder, names: Sequence[str]
) -> tuple[dict[str, Item], dict[str, str]]:
    """Return the sums of items, and the reasons of those that are skipped, by name.

    Sums of an earlier run are read from its files. Raises `InputError` as `encoder.check` does.
    """
    encoder.check(method)
    items: dict[str, Item] = {}
    reasons: dict[str, str] = {}
    with Progress("sums", len(names), show=True, unit="items") as progress:
        for name in names:
            try:
                path = folder / f"{_digest(method, encoder, name)}.npz"
                if (item := _read(path, name)) is not None:
                    progress.skip(1)
                else:
                    item = encoder.integrate(method, name)
                    _write(path, item)
                    progress.advance(1)
                items[name] = item
            except InputError as error:
                reasons[name] = str(error)
                progress.advance(1)
    for name, reason in reasons.items():
        note(f"skipped {name[:40]!r}: {reason}")
    return items, reasons


def _digest(method: PairAttribution, encoder: ItemEncoder, name: str) -> str:
    """Return a digest of everything that decides an item's sums."""
    sides = asdict(method) | {"normalise": None, "shifted": None}  # of pairs alone
    text = json.dumps([VERSION, sides, encoder.digest, encoder.content(name)])
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _write(path: Path, item: Item) -> None:
    side = {name: np.asarray(value) for name, value in vars(item.side).items()}
    texts = {"groups": np.asarray(item.groups), "word_names": np.asarray(item.word_names)}
    spans = {} if item.spans is None else {"spans": item.spans}
    write_arrays(path, side | texts | spans | {"words": item.words})


def _read(path: Path, name: str) -> Item | None:
    arrays = read_arrays(path)
    try:
        if arrays is None:
            return None
        groups, names = (tuple(map(str, arrays.pop(n))) for n in ("groups", "word_names"))
        words, spans = arrays.pop("words"), arrays.pop("spans", None)
        return Item(name, groups, words, names, IntegratedSide(**arrays), spans)
    except (KeyError, TypeError):
        return None
