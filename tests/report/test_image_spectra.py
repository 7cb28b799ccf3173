"""Spectra of images: closed forms and a slow definition, the crop that is read, and the section."""

import json

import numpy as np
import pytest

from salix.analysis import Frame
from salix.analysis.image_spectra import IMAGES, choose_spectrum_images, image_spectra
from salix.data import Arrays
from salix.report import write
from salix.report.image_crops import read_powers
from salix.report.sections import sections_with
from salix.typing import Column


@pytest.fixture
def run(planted, simulated):
    """Four generators of 12 images in groups of three; the names of forged ones are in the id."""
    rows = simulated(48, 0, grid=(4, 4))
    for i, row in enumerate(rows):
        row |= {"id": f"{('real', 'wave', 'real', 'noise')[i % 4]}/{i}", "group": f"clip {i // 12}"}
    return planted(rows, columns=(Column("group", dtype="string"),), extra=("group",))


def pixels(rng):
    """Grey noise, but for the images of `wave`, which have a wave of 0.25 cycles per pixel."""
    images = rng.normal(128, 20, (48, 40, 50, 1))
    images[1::4] += 60 * np.cos(np.pi * np.arange(50) / 2)[None, None, :, None]
    return np.rint(images.clip(0, 255)).repeat(3, -1).astype(np.uint8)


def test_noise_is_flat_and_a_wave_peaks_at_its_frequency(run):
    chosen = choose_spectrum_images([Frame(run)])
    images = pixels(np.random.default_rng(0))
    powers = read_powers(Arrays(images, keys=[str(id) for id in Frame(run).ids]), chosen.ids)
    spectra = image_spectra(chosen, powers)
    assert (spectra.side, spectra.reference) == (40, "real")
    by = {s.generator: s for s in spectra.spectra}
    assert list(by) == ["real", "wave", "noise"]
    mean = {n: np.array([i.value for i in s.power]) for n, s in by.items()}
    assert spectra.frequencies[mean["wave"].argmax()] == 0.25
    # The mean of log10 is below that of the logarithm of the mean, the less the larger the ring.
    np.testing.assert_allclose(mean["noise"][7:], -0.02, atol=0.08)
    wave = np.array([i.value for i in by["wave"].difference])
    np.testing.assert_allclose(wave, mean["wave"] - mean["real"])
    assert by["wave"].power[0].clusters == 4
    flat = np.mean([i.low <= 0 <= i.high for i in by["noise"].difference])
    assert flat > 0.8


def test_a_crop_of_colour_is_that_of_a_slow_definition():
    rgb = np.random.default_rng(1).integers(0, 256, (2, 21, 30, 3), np.uint8)
    powers = read_powers(Arrays(rgb, keys=["a", "b"]), ["b", "c"])
    assert powers.read.tolist() == [True, False]
    assert powers.side == 21
    grey = (rgb[1, :, 4:25].astype(float) * [0.299, 0.587, 0.114]).sum(-1)
    window = np.sin(np.pi * np.arange(1, 22) / 22) ** 2
    window = window[:, None] * window
    x = (grey - np.average(grey, weights=window)) * window
    rings = {}
    for u in range(21):
        for v in range(21):
            wave = np.exp(-2j * np.pi * (u * np.arange(21)[:, None] + v * np.arange(21)) / 21)
            f = abs((x * wave).sum()) ** 2 / (x**2).sum()
            rings.setdefault(round(np.hypot(min(u, 21 - u), min(v, 21 - v))), []).append(f)
    slow = [np.mean(rings[r]) for r in range(1, 11)]
    np.testing.assert_allclose(powers.power[0], slow)
    np.testing.assert_allclose(powers.frequencies, np.arange(1, 11) / 21)


def test_images_are_evenly_chosen_and_clusters_of_other_data_differ(run, planted, simulated):
    rows = [row | {"id": f"more/{i}"} for i, row in enumerate(simulated(900, 0))]
    more = planted(rows, grid=(8, 8), name="two")
    chosen = choose_spectrum_images([Frame(run), Frame(more)])
    assert chosen.names == ("real", "wave", "noise", "more, real", "more, forged")
    assert (np.bincount(chosen.codes) <= IMAGES).all()
    assert len(set(chosen.clusters)) == 4 + 2 * 150
    assert chosen.ids[-1] == "more/895"


def test_the_page_has_spectra_of_the_data_alone(run, tmp_path):
    source = Arrays(pixels(np.random.default_rng(0)), keys=[str(id) for id in Frame(run).ids])
    page = write([run], tmp_path / "a.html", sections=sections_with(source)).read_text()
    assert "Spectra of the images" in page
    assert "central 40 × 40 pixels" in page
    data = json.loads((tmp_path / "a.json").read_text())["image_spectra"]
    assert data["reference"] == "real"
    assert len(data["generators"]["wave"]) == len(data["frequencies"]) == 20
    page = write([run], tmp_path / "b.html").read_text()
    assert "Spectra of the images" not in page
