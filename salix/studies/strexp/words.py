"""Rendered words with the true extent of each character, plain and in five harder conditions."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from salix.models.recognisers import HEIGHT, WIDTH
from salix.studies.strexp.captcha import captcha_characters, captcha_levels
from salix.typing import InputError

SIZE, MARGIN = 28, 2  # of the font and around the word, in pixels
INSIDE = 0.2  # ink of a pixel that belongs to a character's extent
_ENGLISH = """
about above across animal answer around before better between bottom bridge bright brother
building camera castle center change circle clothes common corner country danger daughter desert
dinner doctor double dragon during early earth eight energy engine escape evening family father
field finger finish flower forest friend garden glass golden ground guitar happy heart heavy
history horse hotel house hundred island jacket kitchen ladder language laptop letter little
machine market member middle minute mirror moment money morning mother mountain music narrow
nature needle number ocean office orange paper parent pencil people picture planet player pocket
police purple queen quiet rabbit record river school screen season second secret seven shadow
silver simple sister smooth south spring square station stone street strong student summer
sunset table thank thirty ticket today tongue travel trouble twelve under unique valley village
violin voice water weather white window winter wonder yellow young zebra
"""
ENGLISH: tuple[str, ...] = tuple(_ENGLISH.split())


@dataclass(frozen=True, eq=False)
class WordImage:
    """A grey image of a word, 32 x 128, and the extents of its characters.

    `extents` flags the box of each character, [n 32 128]; None where it is not known, as `truth`
    is "" where the word is not.
    """

    name: str
    condition: str
    truth: str
    pixels: UInt8[np.ndarray, "32 128"]
    extents: Any = None


Layers = Float[np.ndarray, "n 32 128"]
Condition = Callable[[Layers, np.random.Generator], Float[np.ndarray, "32 128"]]


def draw_words(count: int, *, seed: int) -> tuple[str, ...]:
    """Return different words of 4 to 8 characters: lower case, capitalised, upper case, numbers.

    Three of ten are capitalised, one in upper case, one a number.
    """
    rng = np.random.default_rng(seed)
    words: dict[str, None] = {}
    while len(words) < count:
        word, style = str(rng.choice(ENGLISH)), rng.random()
        if style < 0.1:
            word = str(rng.integers(10**3, 10**7))
        elif style < 0.2:
            word = word.upper()
        elif style < 0.5:
            word = word.capitalize()
        words[word] = None
    return tuple(words)


def draw_characters(word: str) -> list[Any]:
    """Return the ink of each character of a word as a grey image, by Pillow's own font."""
    from PIL import Image, ImageDraw, ImageFont

    font: Any = ImageFont.load_default(SIZE)
    left, top, right, bottom = font.getbbox(word)
    size = int(np.ceil(right - left)) + 2 * MARGIN, int(np.ceil(bottom - top)) + 2 * MARGIN
    characters = []
    for i, character in enumerate(word):
        image = Image.new("L", size)
        # The end of the prefix has the kerning between the characters.
        start = font.getlength(word[: i + 1]) - font.getlength(character)
        place = (MARGIN - left + start, MARGIN - top)
        ImageDraw.Draw(image).text(place, character, fill=255, font=font)
        characters.append(image)
    return characters


def fit_layers(characters: Sequence[Any], *, stretched: bool) -> Layers:
    """Return grey images of one size as layers of ink in [0, 1], 32 x 128.

    `stretched` fills the image with the word, as recognisers of one width expect; otherwise its
    shape is preserved, and the rest of the image is empty.
    """
    from PIL import Image

    width, height = characters[0].size
    size = (WIDTH, HEIGHT) if stretched else (min(WIDTH, round(width * HEIGHT / height)), HEIGHT)
    layers = np.zeros((len(characters), HEIGHT, WIDTH), np.float32)
    for layer, image in zip(layers, characters, strict=True):
        ink = np.asarray(image.resize(size, Image.Resampling.BILINEAR), np.float32) / 255
        layer[:, : size[0]] = ink
    return layers


def extents_of(layers: Layers) -> Any:
    """Return the boxes around the ink of each layer, as flags [n 32 128]."""
    boxes = np.zeros(layers.shape, bool)
    for box, ink in zip(boxes, layers > INSIDE, strict=True):
        rows, columns = np.flatnonzero(ink.any(1)), np.flatnonzero(ink.any(0))
        if len(rows):
            box[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] = True
    return boxes


def distort(layers: Layers, rng: np.random.Generator) -> Layers:
    """Return layers displaced along two sine waves of random phase, up to 2 and 3 pixels."""
    from scipy.ndimage import map_coordinates

    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    phases = rng.uniform(0, 2 * np.pi, 2)
    places = [
        rows + 2 * np.sin(2 * np.pi * columns / 60 + phases[0]),
        columns + 3 * np.sin(2 * np.pi * rows / 40 + phases[1]),
    ]
    moved = [map_coordinates(layer, places, order=1) for layer in layers]
    return np.stack(moved).astype(np.float32)


def _paper(ink: Layers, rng: np.random.Generator) -> Any:
    del rng
    return 255 * (1 - ink.max(0))


def _noise(ink: Layers, rng: np.random.Generator) -> Any:
    return _paper(ink, rng) + rng.normal(0, 30, (HEIGHT, WIDTH))


def _background(ink: Layers, rng: np.random.Generator) -> Any:
    """Return dark text on a lightened crop of a photograph of scikit-image."""
    import skimage.data
    from skimage.color import rgb2gray
    from skimage.transform import resize

    name = str(rng.choice(["coffee", "chelsea", "astronaut", "rocket"]))
    photograph = rgb2gray(getattr(skimage.data, name)())
    height, width = photograph.shape
    y, x = rng.integers(0, height - 64), rng.integers(0, width - 256)
    crop = resize(photograph[y : y + 64, x : x + 256], (HEIGHT, WIDTH), anti_aliasing=True)
    level, mask = 90 + 165 * crop, ink.max(0)
    return level * (1 - mask) + 20 * mask


def _light_on_dark(ink: Layers, rng: np.random.Generator) -> Any:
    return 40 + 190 * ink.max(0) + rng.normal(0, 15, (HEIGHT, WIDTH))


CONDITIONS: Mapping[str, Condition] = MappingProxyType(
    {
        "plain": _paper,
        "noise": _noise,
        "background": _background,
        "distorted": _paper,
        "light on dark": _light_on_dark,
        "captcha": captcha_levels,
    }
)


def render_word(word: str, condition: str, *, stretched: bool, seed: int) -> WordImage:
    """Return the image of a word in a condition, one of `CONDITIONS`; a seed gives one image.

    plain: black on white; noise: of 30 of 255 levels; background: a photograph behind; distorted:
    along sine waves; light on dark: inverted, with noise of 15 levels; captcha: each character
    rotated and warped, behind dots and an arc.
    """
    if condition not in CONDITIONS:
        known = ", ".join(map(repr, CONDITIONS))
        raise InputError(f"no condition {condition!r} of rendered words: give {known}")
    if not word.strip():
        raise InputError(f"{word!r} has no ink: give a word of letters or digits")
    rng = np.random.default_rng([seed, *word.encode(), len(condition)])
    draw = partial(captcha_characters, rng=rng) if condition == "captcha" else draw_characters
    layers = fit_layers(draw(word), stretched=stretched)
    if condition == "distorted":
        layers = distort(layers, rng)
    levels = CONDITIONS[condition](layers, rng)
    pixels = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
    return WordImage(f"{word}, {condition}", condition, word, pixels, extents_of(layers))
