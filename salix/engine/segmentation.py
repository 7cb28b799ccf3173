"""The segmentation on which the measures of a sweep agree."""

from collections.abc import Sequence
from typing import Any

from salix.perturb.segmentation import SEGMENTATIONS, Segmentation
from salix.perturb.user_masks import UserMasks
from salix.store import describe, describe_host_function
from salix.typing import InputError, Measure


def agreed_segmentation(measures: Sequence[Measure]) -> Any:
    """Return the field `segmentation` of measures that have one, None where none has.

    Raises `InputError` for measures of different segmentations, and for an object that is none.
    """
    chosen: dict[str, Any] = {}
    for measure in measures:
        segmentation = getattr(measure, "segmentation", None)
        if segmentation is None:
            continue
        if isinstance(segmentation, type) or not isinstance(segmentation, Segmentation | UserMasks):
            raise InputError(
                f"the segmentation of {type(measure).__name__} is {segmentation!r}: give one of "
                f"{', '.join(f'{name}()' for name in SEGMENTATIONS)}, or your own function of the "
                "pixels with count and levels (salix.perturb.segmentation.Segmentation)"
            )
        chosen[describe(segmentation)] = segmentation
    if len(chosen) > 1:
        raise InputError(
            f"the measures have different segmentations, {' and '.join(chosen)}: give all the same "
            "one, or sweep once for each"
        )
    return next(iter(chosen.values()), None)


def segmentation_identity(segmentation: Any) -> dict[str, str]:
    """Return the settings of a segmentation and the version of its results, as JSON.

    The version of one without `version` is a digest of its code.
    """
    code = getattr(type(segmentation), "__call__", None)  # noqa: B004 - described, not called
    version = getattr(segmentation, "version", None)
    if version is None and code is not None:
        version = describe_host_function(code)
    return {"segmentation": describe(segmentation)} | ({"version": version} if version else {})
