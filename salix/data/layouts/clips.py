"""Names of clips in FaceForensics++, DeepFakeDetection and Celeb-DF: their sources and persons."""

import re
from collections.abc import Iterable, Mapping

# Deepfakes/c23/videos/071_054.mp4 is clip 071 with the face of clip 054.
_FFPP = re.compile(r"(\d{3})(?:_(\d{3}))?")
# DeepFakeDetection: 01_02__walking_outside__YVGY8LOK.mp4 is actor 01 with the face of actor 02.
_DFD = re.compile(r"(\d\d)(?:_(\d\d))?__(.+?)(?:__\w{8})?")
# Celeb-DF: Celeb-synthesis/id0_id1_0003.mp4 is clip id0_0003 with the face of person id1.
_CELEBDF = re.compile(r"(id\d+)(?:_id\d+)?_(\d+)")


def ffpp_sources(names: Iterable[str]) -> Mapping[str, str]:
    """Return a name that clips of FaceForensics++ share with all manipulations of them.

    Clips are manipulated in pairs, 071 with 054 and 054 with 071: the four, and those of all
    methods, have the name of the smaller number, `054`. Clips of DeepFakeDetection share the actor
    and the scene. Other names are sources of their own.
    """
    leaders: dict[str, str] = {}
    clips: dict[str, tuple[str, ...]] = {}
    for name in names:
        if match := _FFPP.fullmatch(name):
            clips[name] = tuple(part for part in match.groups() if part)
            _join(leaders, clips[name])
        elif match := _DFD.fullmatch(name):
            clips[name] = (f"{match[1]}__{match[3]}",)
        else:
            clips[name] = (name,)
    return {name: _leader(leaders, parts[0]) for name, parts in clips.items()}


def celebdf_clip(name: str) -> tuple[str, str | None]:
    """Return the source and the person of a clip of Celeb-DF: `id0_0003` and `id0`.

    The person is that of the original clip, whose head, hair and place a synthesis keeps. Clips of
    YouTube have no person.
    """
    match = _CELEBDF.fullmatch(name)
    return (f"{match[1]}_{match[2]}", match[1]) if match else (name, None)


def _leader(leaders: Mapping[str, str], clip: str) -> str:
    while leaders.get(clip, clip) != clip:
        clip = leaders[clip]
    return clip


def _join(leaders: dict[str, str], clips: tuple[str, ...]) -> None:
    roots = sorted({_leader(leaders, clip) for clip in clips})
    for clip in roots:
        leaders[clip] = roots[0]
