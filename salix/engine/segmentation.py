"""The segmentation on which the measures of a sweep agree."""

from collections.abc import Sequence
from typing import Any

from salix.hyperparameters import check_value
from salix.perturb.segmentation import SEGMENTATION
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
        check_value(f"the segmentation of {type(measure).__name__}", segmentation, SEGMENTATION)
        chosen[describe(segmentation)] = segmentation
    if len(chosen) > 1:
        raise InputError(
            f"the measures have different segmentations, {' and '.join(chosen)}: give all the same "
            "one, or sweep once for each"
        )
    return next(iter(chosen.values()), None)


def segmentation_identity(segmentation: Any) -> dict[str, str]:
    """Return the settings of a segmentation and the version of its results, as JSON.

    The version of a user's own segmentation without `version` is a digest of its code.
    """
    identity, kind = {"segmentation": describe(segmentation)}, type(segmentation)
    if hasattr(segmentation, "version"):
        return identity | {"version": segmentation.version}
    own = not kind.__module__.startswith("salix.")
    return identity | ({"version": describe_host_function(kind.__call__)} if own else {})
