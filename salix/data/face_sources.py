"""Views of faces among the views that a source is made of."""

from collections.abc import Iterator, Mapping
from typing import Any

from salix.data.face_crops import FaceCrops
from salix.data.face_rule import FaceRule
from salix.data.source import wrapped
from salix.data.views import View
from salix.typing import InputError


def face_crops(source: Any) -> Iterator[FaceCrops]:
    """Yield the views of faces among a source and those that it wraps."""
    yield from (inner for inner in wrapped(source) if isinstance(inner, FaceCrops))


def face_rule(source: Any) -> FaceRule | None:
    """Return the rule by which the images of a source are faces, None where they are not.

    Raises `InputError` where several sources in a row have their own, or faces are cut twice.
    """
    crops = list(face_crops(source))
    while not isinstance(source, FaceCrops) and isinstance(source, View):
        source = source.source
    if not crops:
        return None
    if len(crops) > 1 or crops[0] is not source:
        raise InputError("cut faces once, of all data together: FaceCrops(Joined(...), table)")
    return crops[0].rule


def fixed_scores(source: Any) -> Mapping[int, float]:
    """Return the fixed probabilities of the second class of a source's images, by position."""
    crops = next(face_crops(source), None)
    return {} if crops is None else crops.fixed_scores
