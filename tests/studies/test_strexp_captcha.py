"""Captcha distortions of words: places of characters, extents, and what varies."""

import numpy as np
import pytest
from PIL import ImageFont

from salix.studies.strexp import captcha
from salix.studies.strexp.captcha import captcha_characters, captcha_levels
from salix.studies.strexp.words import render_word


class Midpoints(np.random.Generator):
    """A generator without chance: the midpoint of every interval, the first font, no space."""

    def random(self, *_, **__):
        return 1.0

    def integers(self, *_, **__):
        return 0

    def uniform(self, low=0.0, high=1.0, size=None):
        middle = (np.asarray(low) + np.asarray(high)) / 2
        return np.broadcast_to(middle, size or middle.shape)


def box_of(ink):
    rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


def test_characters_fill_their_cells_without_chance():
    font = ImageFont.load_default(42)
    sizes = [np.round(font.getbbox(c)[2:]).astype(int) + 1 for c in "Wig"]
    mean = np.mean([w for w, _ in sizes])
    characters = captcha_characters("Wig", Midpoints(np.random.PCG64()))
    left = 0.1 * mean
    for image, (width, height) in zip(characters, sizes, strict=True):
        top, bottom, start, stop = box_of(np.asarray(image) > 127)
        assert abs(start - left) <= 1
        assert abs(stop - start - width) <= 2
        assert abs(bottom - top - height) <= 2
        assert abs((top + bottom) / 2 - 30) <= 1
        left += width - 0.125 * mean


@pytest.mark.parametrize("stretched", [True, False])
def test_extents_have_all_of_the_ink(stretched, monkeypatch):
    monkeypatch.setattr(captcha, "_marks", lambda rng: np.zeros((32, 128)))
    for word in ("Bridge", "7430152", "SEVEN"):
        image = render_word(word, "captcha", stretched=stretched, seed=1)
        paper = image.pixels.max()
        own, rest = (image.pixels[f] for f in (image.extents.any(0), ~image.extents.any(0)))
        assert paper >= 238
        assert rest.min() > paper - 0.25 * (paper - own.min())  # INSIDE of the ink, rounded
        assert (paper - rest.astype(float)).sum() < 0.03 * (paper - own.astype(float)).sum()


def test_dots_and_an_arc_are_of_the_grey_of_the_characters():
    empty = np.zeros((1, 32, 128), np.float32)
    levels = [captcha_levels(empty, np.random.default_rng(seed)) for seed in range(20)]
    assert all(237 < np.median(level) < 255 for level in levels)
    shares = [(level < np.median(level) - 5).mean() for level in levels]
    assert 0.03 < np.mean(shares) < 0.2
    full = captcha_levels(empty + 1, np.random.default_rng(0))
    rng = np.random.default_rng(0)
    paper, grey = rng.uniform(238, 255), rng.uniform(10, 200, 3) @ (0.299, 0.587, 0.114)
    opacity = min(1, 1.97 * grey / 255)
    assert np.isclose(full.max(), paper * (1 - opacity) + grey * opacity, atol=1e-3)
    assert np.isclose(full.min(), grey, atol=0.1 * (paper - grey))


def test_every_character_has_a_distortion_of_its_own():
    first, second = (captcha_characters("oo", np.random.default_rng(seed)) for seed in (0, 1))
    pictures = [np.asarray(image) for image in (*first, *second)]
    crops = {
        picture[slice(*box_of(picture)[:2]), slice(*box_of(picture)[2:])].tobytes()
        for picture in pictures
    }
    assert len(crops) == 4
