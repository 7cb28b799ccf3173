"""Groups of dependent images, named by the folders or by a pattern of their ids."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from salix.data.views import View
from salix.typing import InputError


@dataclass(frozen=True)
class Grouped(View):
    """A source whose images are grouped by a folder of their ids, or by a pattern.

    With a level, the images of one folder are a group, named by its path: 1 is the first folder of
    the id, -1 the image's own. `by` may also be a regular expression with one capture group,
    searched for in the id: equal texts are one group, in whatever folders. For `real/033/7.png` and
    `fake/033/7.png`, the levels 2 and -1 name the groups `real/033` and `fake/033`, the pattern
    `/(\\d+)/` names `033` for both. Images without such a folder or match have the group None.
    `prefix` begins the names of folders. Raises `InputError` for level 0, for a pattern without
    one capture group, and where no image has a group.
    """

    by: int | str
    prefix: str = ""
    _groups: Sequence[str | None] = field(init=False, repr=False, compare=False)

    def __post_init__(self):
        ids = list(self.source.ids)
        if isinstance(self.by, str):
            groups = _matches(self.by, ids)
        else:
            groups = [_folder(id, self.by, self.prefix) for id in ids]
        if not any(groups):
            raise InputError(
                f"no image has a group by {self.by!r}, for example {ids[0]!r}: give a level that "
                r"this path has, such as 1 or -1, or a pattern such as '(\d+)_'"
            )
        object.__setattr__(self, "_groups", groups)

    @property
    def groups(self) -> Sequence[str | None]:
        """Folder or match of each id."""
        return self._groups


def _matches(pattern: str, ids: Sequence[str]) -> list[str | None]:
    """Return what the pattern's capture group matches in each id, None where nothing."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"group by {pattern!r} is no regular expression: {error}") from None
    if compiled.groups != 1:
        raise InputError(
            f"group by {pattern!r} has {compiled.groups} capture groups: put the part of the id "
            "that names the group in one pair of brackets, or give a folder level such as 1 or -1"
        )
    return [(m[1] or None) if (m := compiled.search(id)) else None for id in ids]


def _folder(id: str, level: int, prefix: str) -> str | None:
    """Return the path of the folder at a level of an id, None where the id has fewer."""
    folders = id.split("/")[:-1]
    depth = level if level > 0 else len(folders) + 1 + level
    if level == 0:
        raise InputError("group by level 0: 1 is the first folder, -1 the image's own folder")
    return prefix + "/".join(folders[:depth]) if 1 <= depth <= len(folders) else None
