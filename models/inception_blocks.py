"""Blocks of Inception-v3: names, widths and kernels of their convolutions."""

from typing import Any, Literal, NamedTuple

from salix.nn import avg_pool, max_pool


class ConvStep(NamedTuple):
    """A convolution, batch normalisation (epsilon 1e-3) and ReLU, under its published name."""

    name: str
    outputs: int
    size: int | tuple[int, int] = 1
    strides: int = 1
    padding: Literal["SAME"] | int = "SAME"


def mean_pool(x: Any) -> Any:
    """Return the mean of 3x3 pixels around each, padding counted as zeros."""
    return avg_pool(x, 3, 1, padding=1)


def _max_pool(x: Any) -> Any:
    return max_pool(x, 3, 2)


# The published blocks: parallel chains of convolutions and pools; a pair of convolutions forks a
# chain at its end.


def _a(pooled: int) -> tuple:
    return (
        (ConvStep("branch1x1", 64),),
        (ConvStep("branch5x5_1", 48), ConvStep("branch5x5_2", 64, 5)),
        (ConvStep("branch3x3dbl_1", 64), *(ConvStep(f"branch3x3dbl_{i}", 96, 3) for i in (2, 3))),
        (mean_pool, ConvStep("branch_pool", pooled)),
    )


def _c(inner: int) -> tuple:
    sizes = ((7, 1), (1, 7), (7, 1))
    return (
        (ConvStep("branch1x1", 192),),
        (
            ConvStep("branch7x7_1", inner),
            ConvStep("branch7x7_2", inner, (1, 7)),
            ConvStep("branch7x7_3", 192, (7, 1)),
        ),
        (
            ConvStep("branch7x7dbl_1", inner),
            *(ConvStep(f"branch7x7dbl_{i}", inner, size) for i, size in enumerate(sizes, 2)),
            ConvStep("branch7x7dbl_5", 192, (1, 7)),
        ),
        (mean_pool, ConvStep("branch_pool", 192)),
    )


_B = (
    (ConvStep("branch3x3", 384, 3, 2, 0),),
    (
        ConvStep("branch3x3dbl_1", 64),
        ConvStep("branch3x3dbl_2", 96, 3),
        ConvStep("branch3x3dbl_3", 96, 3, 2, 0),
    ),
    (_max_pool,),
)
_D = (
    (ConvStep("branch3x3_1", 192), ConvStep("branch3x3_2", 320, 3, 2, 0)),
    (
        ConvStep("branch7x7x3_1", 192),
        ConvStep("branch7x7x3_2", 192, (1, 7)),
        ConvStep("branch7x7x3_3", 192, (7, 1)),
        ConvStep("branch7x7x3_4", 192, 3, 2, 0),
    ),
    (_max_pool,),
)
_E = (
    (ConvStep("branch1x1", 320),),
    (
        ConvStep("branch3x3_1", 384),
        (ConvStep("branch3x3_2a", 384, (1, 3)), ConvStep("branch3x3_2b", 384, (3, 1))),
    ),
    (
        ConvStep("branch3x3dbl_1", 448),
        ConvStep("branch3x3dbl_2", 384, 3),
        (ConvStep("branch3x3dbl_3a", 384, (1, 3)), ConvStep("branch3x3dbl_3b", 384, (3, 1))),
    ),
    (mean_pool, ConvStep("branch_pool", 192)),
)
STEM = (
    ConvStep("Conv2d_1a_3x3", 32, 3, 2, 0),
    ConvStep("Conv2d_2a_3x3", 32, 3, 1, 0),
    ConvStep("Conv2d_2b_3x3", 64, 3),
    _max_pool,
    ConvStep("Conv2d_3b_1x1", 80),
    ConvStep("Conv2d_4a_3x3", 192, 3, 1, 0),
    _max_pool,
)
MIXED: dict[str, tuple[int, tuple]] = {  # input channels, and the block
    "Mixed_5b": (192, _a(32)),
    "Mixed_5c": (256, _a(64)),
    "Mixed_5d": (288, _a(64)),
    "Mixed_6a": (288, _B),
    "Mixed_6b": (768, _c(128)),
    "Mixed_6c": (768, _c(160)),
    "Mixed_6d": (768, _c(160)),
    "Mixed_6e": (768, _c(192)),
    "Mixed_7a": (768, _D),
    "Mixed_7b": (1280, _E),
    "Mixed_7c": (2048, _E),
}


def parallel_steps(part: Any) -> tuple:
    """Return the parallel steps of a part of a chain: one, or both of a fork."""
    return part if type(part) is tuple else (part,)
