"""Section: methods, ready to paste into a paper, and the meaning of each number."""

from collections.abc import Sequence

from salix.analysis import Analysis, Frame
from salix.analysis.columns import standard_columns
from salix.analysis.frame import describe_columns, explained_class
from salix.report import heatmap
from salix.report.face_crops import describe_faces
from salix.report.methods_statistics import describe_statistics, listed
from salix.report.pictures import gallery
from salix.report.section import Section, format_count, read_template
from salix.store import Run

MAPS = (
    "Each map was scaled to [0, 1] by its own least and greatest value{storage}. "
    "Histogram entropy is the Shannon entropy of its 8-bit values over the greatest possible "
    "(Crum et al., 2023, arXiv:2303.11969); spatial entropy that of the map read as a distribution "
    "over its pixels (Bhatt et al., 2020, arXiv:2005.00631); Gini as in Hurley and Rickard (2009, "
    "arXiv:0811.4706)."
)


def build(analysis: Analysis) -> Section:
    """Write the methods of these runs, and define the numbers that they have."""
    share = analysis.derive(gallery).mask_share
    return Section(
        "methods",
        "What the numbers mean",
        read_template(__file__),
        {
            "paragraphs": paragraphs(analysis),
            "keys": {c.key for c in analysis.columns},
            "has_maps": any(frame.has("map") for frame in analysis.frames),
            "primary": next((c.name for c in analysis.columns if c.key == analysis.primary), ""),
            "mask_percent": "" if share is None else f"{100 * share:.0f}",
            "longest": heatmap.SMOOTH,
        },
        link="Methods",
    )


def paragraphs(analysis: Analysis) -> list[str]:
    """Return the methods: maps, measures with their sources, statistics, what was left out."""
    parts = (
        _runs(analysis),
        initial_values(analysis.runs),
        describe_faces(analysis.runs),
        _measures(analysis),
        describe_statistics(analysis),
        _left_out(analysis),
    )
    return [text for text in parts if text]


def _runs(analysis: Analysis) -> str:
    frames, runs = analysis.frames, analysis.runs
    models = listed(_setting(run, "model") for run in runs)
    about = {
        key: listed(str(run.manifest["about"].get(key, "not recorded")) for run in runs)
        for key in ("salix", "jax", "device")
    }
    counts = sorted({run.count for run in analysis.summary.runs})
    count = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    seed = listed(_setting(run, "seed") for run in runs)
    version = f"Salix {about['salix']} (JAX {about['jax']}, {about['device']}, seed {seed})"
    with_maps = [frame for frame in frames if frame.has("map")]
    if not with_maps:
        return (
            f"{_count(runs, 'model')} ({models}) were run over {count} examples"
            f"{_groups(analysis)} with {version}."
        )
    eight_bit = {frame.run.columns["map"].dtype for frame in with_maps} == {"uint8"}
    scaling = MAPS.format(storage=" and stored in 8 bits" if eight_bit else "")
    count = f"{count} images{_groups(analysis)}"
    return f"{_maps(runs, with_maps, models, count)}, with {version}. {scaling}"


def _groups(analysis: Analysis) -> str:
    """Write the number of groups of dependent images; nothing for independent ones."""
    counts = sorted({r.clusters for r in analysis.summary.runs if r.clusters})
    if not counts:
        return ""
    count = " to ".join(map(format_count, dict.fromkeys((counts[0], counts[-1]))))
    return f" in {count} groups (videos, identities)"


def _maps(runs: Sequence[Run], frames: Sequence[Frame], models: str, count: str) -> str:
    settings = {
        key: listed(_setting(run, key) for run in runs)
        for key in ("attribution", "pooling", "score")
    }
    grids = listed(" x ".join(map(str, f.run.columns["map"].shape)) for f in frames)
    explained = listed(explained_class(frame) for frame in frames)
    return (
        f"Salience maps of {_count(runs, 'model')} ({models}) were computed for "
        f"{count} with {settings['attribution']} of the score {settings['score']}, "
        f"explaining {explained}, channels pooled by {settings['pooling']}, on a grid of {grids} "
        "pixels"
    )


def initial_values(runs: Sequence[Run]) -> str:
    """Write which parameters no weight file gave; nothing where each has its value from a file."""
    texts = []
    for run in runs:
        names = run.manifest["about"].get("weights", {}).get("initialised", ())
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        if names:
            texts.append(f"{run.name}: {', '.join(names[:3])}{more}")
    if not texts:
        return ""
    return (
        "Parameters that a weight file lacks kept the values that they were initialised with, so "
        f"that these models are only in part the published ones: {'; '.join(texts)}."
    )


def _measures(analysis: Analysis) -> str:
    """Each measure as it was configured, then what its columns mean, once."""
    used = dict.fromkeys(m for r in analysis.runs for m in r.manifest["config"].get("measures", ()))
    names = {n for frame in analysis.frames for n in (*frame.numbers, *frame.arrays)}
    explained = standard_columns("").keys() - {"relevance_mass"}
    described = describe_columns(analysis.frames).items()
    meanings = dict.fromkeys(
        c.meaning for n, c in described if c.meaning and n in names and n not in explained
    )
    listed = f"Measures: {'; '.join(used)}. " if used else ""
    return (listed + " ".join(meanings)).strip()


def _left_out(analysis: Analysis) -> str:
    runs = analysis.summary.runs
    fixed = any("targets" in run.manifest["config"] for run in analysis.runs)
    reasons = {"skipped": "could not be read" + " or had no class to explain" * fixed}
    if any(frame.has("map") for frame in analysis.frames):
        reasons |= {"constant_map": "had a map without contrast"}
        reasons |= {"not_finite": "had logits or maps that are not finite"}
    parts = [f"{sum(getattr(r, key) for r in runs)} {reason}" for key, reason in reasons.items()]
    total = sum(r.images + r.skipped for r in runs)
    return (
        f"Of {total} rows, {', '.join(parts)}; they were left out of means that they do not define."
    )


def _count(runs: Sequence[Run], noun: str) -> str:
    return f"{len(runs)} {noun}{'s' * (len(runs) != 1)}"


def _setting(run: Run, key: str) -> str:
    return str(run.manifest["config"].get(key, "not recorded"))
