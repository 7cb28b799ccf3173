"""Columns of the measure `Regions`."""

from dataclasses import replace

from salix.typing import Column

SOURCE = "after the published description of IMACS (Schoop et al., 2022, arXiv:2201.11196)"
MASS = f"Attribution summed over channels and pixels, {SOURCE}."
SCORE_COLUMNS = (
    Column("region_count", "Segments", "Segments of the image.", 0, dtype="int32"),
    Column("region_total", "Attribution of the image", MASS),
    Column("region_absolute_total", "Absolute attribution of the image", MASS, 0),
    Column(
        "region_completeness",
        "Completeness error",
        "Sum of the attribution less the score's distance from the baseline's; in its units.",
    ),
)
_SEGMENTS = (
    Column("region_area", "Area", "Share of the image; 0: there is no such segment.", 0, 1),
    Column("region_mass", "Attribution", MASS),
    Column("region_absolute", "Absolute attribution", MASS, 0),
    Column(
        "region_rank",
        "Place by salience",
        "Place in XRAI's greedy order (Kapishnikov et al., 2019, arXiv:1906.02825); 0: not picked.",
        0,
        dtype="int32",
    ),
)
_MAPS = (
    Column("region_labels", "Labels", "Labels of the segments.", 0, dtype="uint16"),
    Column("region_attribution", "Attribution", "In multiples of the mean of its absolute value."),
    Column("region_absolute_map", "Absolute attribution", "In multiples of its mean.", 0),
)
_EMBEDDINGS = {
    "descriptor": Column(
        "region_descriptor", "Descriptor", "Colour, texture, orientation, shape and place."
    ),
    "features": Column(
        "region_features", "Features", "The model's features of the crop, projected.", -1, 1
    ),
}


def array_columns(embeddings: tuple[str, ...], fill: str) -> tuple[Column, ...]:
    """Return the columns of several values an image; their `dims` name what the values are of."""
    drop = Column("region_drop", "Fall of the score", f"Of the image with the segment's {fill}.")
    per_segment = tuple(replace(c, dims=("region",)) for c in (*_SEGMENTS, drop))
    labels, *maps = _MAPS
    drawn = (
        replace(labels, dims=("level", "y", "x")),
        *(replace(c, dims=("y", "x"), dtype="float16") for c in maps),
    )
    embedded = (replace(_EMBEDDINGS[e], dims=("region", e), dtype="float16") for e in embeddings)
    return (*per_segment, *drawn, *embedded)
