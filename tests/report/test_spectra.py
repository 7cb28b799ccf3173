"""Radially averaged spectra: closed forms and a slow definition, and their section."""

import numpy as np

from salix.analysis.spectra import radial_power
from salix.report import write
from salix.report.sections import spectra


def test_a_wave_has_its_power_at_its_frequency_and_noise_everywhere():
    y, x = np.mgrid[0:32, 0:32]
    waves = np.stack([np.cos(2 * np.pi * 8 / 32 * x), np.cos(2 * np.pi * 4 / 32 * y)])
    frequencies, power = radial_power(waves)
    assert frequencies[power.argmax(1)].tolist() == [0.25, 0.125]
    noise = np.random.default_rng(0).normal(size=(300, 32, 32))
    np.testing.assert_allclose(radial_power(noise)[1].mean(0)[1:], 1, rtol=0.1)
    assert np.isnan(radial_power(np.ones((1, 16, 16)))[1]).all()


def test_rings_are_those_of_a_slow_definition():
    map = np.random.default_rng(1).random((16, 20))
    window = np.outer(
        np.sin(np.pi * np.arange(1, 17) / 17) ** 2, np.sin(np.pi * np.arange(1, 21) / 21) ** 2
    )
    x = (map - np.average(map, weights=window)) * window
    f = np.abs(np.fft.fft2(x)) ** 2 / (x**2).sum()
    rings = {}
    for i in range(16):
        for j in range(20):
            u, v = min(i, 16 - i) / 16, min(j, 20 - j) / 20
            rings.setdefault(round(16 * (u**2 + v**2) ** 0.5), []).append(f[i, j])
    slow = [np.mean(rings[r]) for r in range(1, 9)]
    np.testing.assert_allclose(radial_power(map[None])[1][0], slow)


def test_the_page_has_spectra_of_labelled_maps_of_enough_pixels(planted, simulated, tmp_path):
    run = planted(simulated(12, 0, grid=(16, 16)), grid=(16, 16))
    page = write([run], tmp_path / "page.html", sections=(spectra.build,)).read_text()
    assert "Spectra of the maps" in page
    coarse = planted(simulated(12, 0), name="b", grid=(8, 8))
    page = write([coarse], tmp_path / "page.html", sections=(spectra.build,)).read_text()
    assert "Spectra of the maps" not in page
