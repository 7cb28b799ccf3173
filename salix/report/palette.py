"""Colours and shapes of groups: one of each, so that neither has to be told apart alone."""

from dataclasses import dataclass

# Okabe and Ito (2008), without yellow, which is too pale on white; darkened where text needs it.
COLOURS = ("#0072B2", "#C44E00", "#007A5A", "#A8477F", "#2E8BC0", "#8A6D00", "#333333")
SHAPES = {
    "square": "M-5-5H5V5H-5Z",
    "circle": "M-5.6 0A5.6 5.6 0 1 0 5.6 0A5.6 5.6 0 1 0-5.6 0Z",
    "diamond": "M0-7L7 0L0 7L-7 0Z",
    "triangle-up": "M0-6.5L6.5 5H-6.5Z",
    "triangle-down": "M0 6.5L6.5-5H-6.5Z",
}


@dataclass(frozen=True)
class Swatch:
    """Colour and shape of a group; `path` draws the shape around 0, about 12 wide."""

    colour: str
    shape: str
    path: str


@dataclass(frozen=True)
class Palette:
    """Swatches of groups, by name, in their order; 35 are different."""

    groups: tuple[str, ...]

    def __getitem__(self, group: str) -> Swatch:
        index = self.groups.index(group)
        shape = list(SHAPES)[index % len(SHAPES)]
        return Swatch(COLOURS[index % len(COLOURS)], shape, SHAPES[shape])
