"""Captcha distortions of words: warped characters pushed together, behind dots and an arc.

Distributions are those of the Python package `captcha` 0.7, written here from their definition with
a seed, so that the ink of each character is known.
"""

from typing import Any

import numpy as np
from jaxtyping import Float

from salix.models.recognisers import HEIGHT, WIDTH

CANVAS = 60  # pixels, the height in which the sizes below are
MARKED = 160  # pixels, the width of the canvas of dots and arc
SIZES = (42, 50, 56)  # of the font
ROTATION = 30  # degrees in either direction, at most
WARP = (0.2, 0.1)  # of a character's width and height by which its corners move, at most
SPACE = 0.5  # probability of a space before a character
OVERLAP = 0.25  # of the mean width by which characters are pushed together, at most
DOTS = 30  # in an image
OPACITY = 1.97 / 255  # of characters, for each level of their grey: dark ones are translucent


def captcha_characters(word: str, rng: np.random.Generator) -> list[Any]:
    """Return the ink of each character as a grey image, all of the size of the word's canvas."""
    from PIL import Image, ImageFilter, ImageFont

    fonts = [ImageFont.load_default(size) for size in SIZES]
    cells = [_warped(c, fonts[rng.integers(len(fonts))], rng) for c in word]
    spaces = [fonts[rng.integers(len(fonts))].getlength(" ") * (rng.random() < SPACE) for _ in word]
    mean = (sum(cell.width for cell in cells) + sum(spaces)) / len(word)
    left, places = 0.1 * mean, []
    for cell, space in zip(cells, spaces, strict=True):
        if space:
            left += max(0, space - rng.uniform(0, OVERLAP * mean))
        places.append(round(left))
        left += cell.width - rng.uniform(0, OVERLAP * mean)
    width = max(place + cell.width for place, cell in zip(places, cells, strict=True))
    characters = []
    for place, cell in zip(places, cells, strict=True):
        canvas = Image.new("L", (round(width + 0.1 * mean), CANVAS))
        canvas.paste(cell, (place, (CANVAS - cell.height) // 2))
        characters.append(canvas.filter(ImageFilter.SMOOTH))
    return characters


def _warped(character: str, font: Any, rng: np.random.Generator) -> Any:
    """Return a character that fills its cell, rotated, and with the corners moved in pairs."""
    from PIL import Image, ImageDraw

    right, bottom = font.getbbox(character)[2:]
    width, height = round(right) + 1, round(bottom) + 1
    image = Image.new("L", (width + 4, height + 6))
    ImageDraw.Draw(image).text((0, 0), character, fill=255, font=font)
    image = image.crop(image.getbbox())
    angle = rng.uniform(-ROTATION, ROTATION)
    image = image.rotate(angle, Image.Resampling.BILINEAR, expand=True)
    reach = rng.uniform(0, WARP) * (width, height)
    (x1, y1), (x2, y2) = np.trunc(rng.uniform(-reach, reach, (2, 2))).astype(int).tolist()
    w, h = width + abs(x1) + abs(x2), height + abs(y1) + abs(y2)
    corners = (x1, y1, -x1, h - y2, w + x2, h + y2, w - x2, -y1)  # from the upper left, downwards
    image = image.resize((w, h)).point([0] + 255 * [255])  # bold, with hard edges
    return image.transform((width, height), Image.Transform.QUAD, corners)


def captcha_levels(
    ink: Float[np.ndarray, "n 32 128"], rng: np.random.Generator
) -> Float[np.ndarray, "32 128"]:
    """Return characters of one random grey on light paper, with dots and an arc of that grey."""
    paper = float(rng.uniform(238, 255))
    grey = float(rng.uniform(10, 200, 3) @ (0.299, 0.587, 0.114))  # of a random colour
    mask = min(1.0, grey * OPACITY) * ink.max(0)
    levels = paper * (1 - mask) + grey * mask
    marks = _marks(rng)
    return levels * (1 - marks) + grey * marks


def _marks(rng: np.random.Generator) -> Float[np.ndarray, "32 128"]:
    """Return the ink of dots of three pixels and a thin arc on a canvas that fills the image."""
    from PIL import Image, ImageDraw

    canvas = Image.new("L", (MARKED, CANVAS))
    draw = ImageDraw.Draw(canvas)
    for x, y in rng.integers(0, (MARKED + 1, CANVAS + 1), (DOTS, 2)).tolist():
        draw.line(((x, y), (x - 1, y - 1)), fill=255, width=3)
    x1, x2 = rng.uniform(0, MARKED / 5), rng.uniform(MARKED / 5, MARKED)
    y1 = rng.uniform(CANVAS / 5, 4 * CANVAS / 5)
    y2 = rng.uniform(y1, 4 * CANVAS / 5)
    draw.arc((x1, y1, x2, y2), rng.uniform(0, 20), rng.uniform(160, 200), fill=255)
    small = canvas.resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    return np.asarray(small, np.float32) / 255
