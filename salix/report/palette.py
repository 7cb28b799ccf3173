"""One colour and one shape a group, so that neither has to be told apart alone."""

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
class Mark:
    """Colour and shape of a group; `path` draws the shape around 0, about 12 wide."""

    colour: str
    shape: str
    path: str


def mark(index: int) -> Mark:
    """Return the mark of the group at a place in the order; 35 are different."""
    shape = list(SHAPES)[index % len(SHAPES)]
    return Mark(COLOURS[index % len(COLOURS)], shape, SHAPES[shape])
