"""Sounds of ten channels: a tone, chirp or recording in one of them, noise or hums in others."""

import numpy as np
from jaxtyping import Float

from salix.studies.chaosmining.signals.data import (
    CLASSES,
    SignalSet,
    SignalSetting,
    disjoint_choices,
)
from salix.studies.chaosmining.signals.foregrounds import Foregrounds

CHANNELS = 10
SAMPLES = 1024  # 16,000 in the release
RECORDING = 0.5  # seconds of a recording, as 1,024 samples; 1 in the release
SPREAD = 0.25  # standard deviation of a background, which is clipped to [-1, 1]
# Frequencies of a class at its start, in cycles of the sound: steady tones and rising chirps.
STARTS = np.geomspace(20, 160, CLASSES // 2)
RISE = 1.5  # of the frequency of a chirp, from the start to the end
DETUNING = 0.03  # largest relative change of a frequency


def sound_set(
    setting: SignalSetting, foregrounds: Foregrounds | None = None, *, seed: int
) -> SignalSet:
    r"""Return sounds [10 1024 1] of a foreground in one channel, backgrounds in the others.

    The classes are five steady tones and five chirps; each example has its own phase, detuning,
    loudness, and rise and fall, so that no foreground is in both parts. It is in channel 0 or in a
    random one. Backgrounds are $N(0, 0.25^2)$ clipped to [-1, 1], or pink noise with a hum of their
    own, of the same standard deviation. With `foregrounds` those take the place of tones, a fifth
    of them in tests alone. The same arguments always give the same sounds.

    Shi et al. (2024), arXiv:2406.12150, as in the released code with other recordings.
    """
    rng = setting.generator("audio", seed)
    arrays = []
    sizes, choices = (setting.examples, setting.tests), ((), ())
    if foregrounds:
        choices = disjoint_choices(len(foregrounds.classes), sizes, rng)
    for count, choice in zip(sizes, choices, strict=True):
        classes = rng.permutation(np.resize(np.arange(CLASSES), count)).astype(np.int32)
        if foregrounds:
            classes = foregrounds.classes[choice]
        places = np.zeros((count, 1), np.int64)
        if not setting.fixed:
            places = rng.integers(0, CHANNELS, places.shape)
        sounds = sound_backgrounds(setting, count, rng)
        front = foregrounds.values[choice] if foregrounds else tones(classes, rng)
        sounds[np.arange(count), places[:, 0]] = front
        arrays += [sounds[..., None].astype(np.float32), classes, places]
    return SignalSet(*arrays)


def tones(classes: np.ndarray, rng: np.random.Generator) -> Float[np.ndarray, "n time"]:
    """Return a tone (classes 0 to 4) or chirp (5 to 9) of each class with 10 % of white noise."""
    count, time = len(classes), np.linspace(0, 1, SAMPLES, endpoint=False)
    starts = STARTS[classes % len(STARTS)] * rng.uniform(1 - DETUNING, 1 + DETUNING, count)
    rises = np.where(classes < len(STARTS), 0, RISE - 1)
    cycles = starts[:, None] * (time + rises[:, None] * time**2 / 2)
    envelope = np.sin(np.pi * time) ** rng.uniform(0.2, 1, (count, 1))
    loudness, phases = rng.uniform(0.3, 0.6, (count, 1)), rng.uniform(0, 1, (count, 1))
    noise = rng.normal(0, SPREAD / 10, (count, SAMPLES))
    return loudness * envelope * np.sin(2 * np.pi * (cycles + phases)) + noise


def sound_backgrounds(
    setting: SignalSetting, count: int, rng: np.random.Generator
) -> Float[np.ndarray, "n channels time"]:
    """Return white noise, or pink noise with a hum of a random frequency below 16 cycles."""
    white = rng.normal(0, SPREAD, (count, CHANNELS, SAMPLES)).astype(np.float32)
    if not setting.structured:
        return np.clip(white, -1, 1)
    frequencies = np.fft.rfftfreq(SAMPLES, 1 / SAMPLES).astype(np.float32)
    frequencies[0] = np.inf  # no constant
    pink = np.fft.irfft(np.fft.rfft(white) / np.sqrt(frequencies), SAMPLES)
    time = np.linspace(0, 1, SAMPLES, endpoint=False, dtype=np.float32)
    cycles, phases = rng.uniform((2, 0), (16, 1), (count, CHANNELS, 2)).T[..., None]
    hum = np.sin(2 * np.pi * (cycles * time + phases)).transpose(1, 0, 2)
    mixed = pink / pink.std(-1, keepdims=True) + hum
    return np.clip(SPREAD * mixed / mixed.std(-1, keepdims=True), -1, 1)
