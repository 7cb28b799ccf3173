"""Foregrounds of a user's own: pictures or recordings in one folder for each class."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, Int, Shaped, UInt8

from salix.data.bounds import Unreadable
from salix.data.decode import decode, suffixes
from salix.data.regular_file import read_file
from salix.studies.chaosmining.signals.data import CLASSES
from salix.typing import InputError

LEAST_FILES = 5  # of a class: a fifth are for tests


@dataclass(frozen=True, eq=False)
class Foregrounds:
    """Foregrounds with their classes, and the name and reason of each file left out."""

    values: Shaped[np.ndarray, "n ..."]
    classes: Int[np.ndarray, " n"]
    names: tuple[str, ...]
    skipped: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """A hash of the foregrounds and their classes."""
        content = self.values.tobytes() + self.classes.tobytes()
        return hashlib.sha256(content).hexdigest()[:20]


def read_foregrounds(
    folder: Path, read: Callable[[Path], Any], endings: tuple[str, ...]
) -> Foregrounds:
    """Return what `read` makes of the files of a folder, whose own folders are the classes.

    `read` raises `Unreadable` with a reason, and the file is left out. `endings` are those of the
    names of files, lower case and without the dot; other files are passed over. Raises `InputError`
    for fewer than two classes, more than ten, or a class of fewer than five files.
    """
    folders = sorted(p for p in folder.glob("*") if p.is_dir() and not p.name.startswith("."))
    if not 2 <= len(folders) <= CLASSES:
        raise InputError(
            f"--foregrounds {folder} has {len(folders)} folders: give a folder with one folder for "
            f"each class, 2 to {CLASSES}"
        )
    values, classes, skipped = [], [], []
    for number, part in enumerate(folders):
        before = len(values)
        for path in sorted(p for p in part.iterdir() if p.suffix.lower()[1:] in endings):
            try:
                values.append(read(path))
                classes.append(number)
            except (OSError, Unreadable) as error:
                skipped.append((f"{part.name}/{path.name}", str(error)))
        if len(values) - before < LEAST_FILES:
            left_out = [f"; {name}: {why}" for name, why in skipped if name.startswith(part.name)]
            raise InputError(
                f"--foregrounds {part} has {len(values) - before} readable files of "
                f"{', '.join(sorted(endings))}: give {LEAST_FILES} or more, of which a fifth are "
                f"for tests{''.join(left_out[:1])}"
            )
    names = tuple(part.name for part in folders)
    return Foregrounds(np.stack(values), np.asarray(classes, np.int32), names, tuple(skipped))


def read_pictures(folder: Path, side: int) -> Foregrounds:
    """Return pictures [n side side 3], the square in their middle reduced by averages."""

    def read(path: Path) -> UInt8[np.ndarray, "side side 3"]:
        from PIL import Image, ImageOps

        image = decode(path).convert("RGB")
        return np.asarray(ImageOps.fit(image, (side, side), Image.Resampling.BOX))

    return read_foregrounds(folder, read, tuple(suffixes()))


def read_recordings(folder: Path, samples: int, *, seconds: float, spread: float) -> Foregrounds:
    """Return recordings [n samples] of WAV files: their loudest `seconds`, with one loudness.

    Channels are averaged; the part is resampled to `samples`, with mean 0 and standard deviation
    `spread`, and clipped to [-1, 1]. Shorter recordings have silence round them.
    """

    def read(path: Path) -> Float[np.ndarray, " samples"]:
        from scipy.signal import resample

        rate, wave = read_wave(path)
        length = round(seconds * rate)
        wave = np.pad(wave, max(0, length - len(wave) + 1) // 2 + 1)
        energy = np.concatenate([[0], np.cumsum(wave**2)])
        start = int(np.argmax(energy[length:] - energy[:-length]))
        part = np.asarray(resample(wave[start : start + length], samples))
        if not part.std() > 0:
            raise Unreadable("a recording of silence")
        return np.clip(spread * (part - part.mean()) / part.std(), -1, 1).astype(np.float32)

    return read_foregrounds(folder, read, ("wav",))


def read_wave(path: Path) -> tuple[int, Float[np.ndarray, " time"]]:
    """Return the samples of a second and the mean channel of a WAV file."""
    import warnings

    from scipy.io import wavfile

    content = read_file(path)
    try:
        with warnings.catch_warnings(action="ignore"):  # chunks beside the samples
            rate, wave = wavfile.read(BytesIO(content))
    except Exception as error:  # SciPy's are of many kinds: ValueError, struct.error, NameError
        raise Unreadable(f"not a WAV file that can be read ({error})") from error
    wave = wave.reshape(len(wave), -1)
    if wave.size == 0 or rate <= 0:
        raise Unreadable("a recording without samples")
    middle = 128.0 if wave.dtype == np.uint8 else 0.0  # 8-bit samples are unsigned
    mean = wave.astype(np.float64).mean(1) - middle
    if not np.isfinite(mean).all():
        raise Unreadable("samples that are not finite")
    return int(rate), mean
