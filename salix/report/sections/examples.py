"""Section: images chosen by stated rules, with the map and the decision of each run."""

from typing import Any

from salix.analysis import Analysis, Frame
from salix.analysis.chosen_examples import ChosenExamples, chosen_examples
from salix.report.pictures import ImagePictures, draw_images
from salix.report.section import Section, format_count, read_template

RUNS = 6  # of which maps are drawn
FIRST = 1000  # index of the first picture: those of the gallery are smaller


def build(analysis: Analysis, *, data: Any = None) -> Section | None:
    """Show the chosen images; None where no run has two logits with labels, nor maps of two runs.

    `data` are the swept images, as `salix.data.open_source` takes them, for the pictures; by
    default those that the runs stored.
    """
    chosen = chosen_examples(analysis)
    if not chosen:
        return None
    frames = _shown(analysis)
    ids = list(dict.fromkeys(id for choice in chosen for id in choice.ids))
    ids = [id for id in ids if any((frame.ids == id).any() for frame in frames)]
    pictures = read_data(analysis, ids, data)
    drawn = draw_images(frames, ids, first=FIRST, pictures=pictures)
    images = {image.id: image for image in drawn}
    return Section(
        "examples",
        "Chosen examples",
        read_template(__file__),
        {
            "choices": [(choice, _rows(choice, images)) for choice in chosen],
            "format_count": format_count,
            "images": list(images.values()),
            "runs": [(f.run.name, f.run.group) for f in frames],
            "all_runs": len(analysis.runs),
            "pictured": sum(bool(image.photo) for image in images.values()),
        },
        link="Examples",
        data={
            "examples": {
                c.key: {"rule": c.rule, "images": c.images, "ids": list(c.ids)} for c in chosen
            }
        },
    )


def _shown(analysis: Analysis) -> list[Frame]:
    """Return the first run of each group, then the others, as many as are drawn."""
    firsts = {f.run.group: f.run.name for f in reversed(analysis.frames)}.values()
    order = sorted(analysis.frames, key=lambda f: f.run.name not in firsts)
    names = [f.run.name for f in order[:RUNS]]
    return [f for f in analysis.frames if f.run.name in names]


def read_data(analysis: Analysis, ids: list[str], data: Any) -> dict[str, bytes]:
    """Return pictures of the swept images `data` by id, none where there are no data."""
    if data is None:
        return {}
    from salix.report.comparison.images import read_pictures

    return {ids[n]: jpeg for n, jpeg in read_pictures(analysis.runs, ids, data)}


def _rows(
    choice: ChosenExamples, images: dict[str, ImagePictures]
) -> list[tuple[ImagePictures, str]]:
    pairs = zip(choice.ids, choice.values, strict=True)
    return [(images[id], value) for id, value in pairs if id in images]
