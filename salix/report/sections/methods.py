"""Section: methods, ready to paste into a paper, and the meaning of each number."""

from collections.abc import Iterable, Sequence

from salix.analysis import Analysis, Frame
from salix.analysis.columns import standard_columns
from salix.analysis.frame import describe_columns, explained_class
from salix.report import heatmap
from salix.report.pictures import gallery
from salix.report.section import Section, read_template
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
    parts = (_runs(analysis), _measures(analysis), _statistics(analysis), _left_out(analysis))
    return [text for text in parts if text]


def _runs(analysis: Analysis) -> str:
    frames, runs = analysis.frames, analysis.runs
    models = _listed(_setting(run, "model") for run in runs)
    about = {
        key: _listed(str(run.manifest["about"].get(key, "not recorded")) for run in runs)
        for key in ("salix", "jax", "device")
    }
    counts = sorted({run.count for run in runs})
    count = f"{counts[0]}" if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    seed = _listed(_setting(run, "seed") for run in runs)
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
    count = f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
    return f" in {count} groups (videos, identities)"


def _maps(runs: Sequence[Run], frames: Sequence[Frame], models: str, count: str) -> str:
    settings = {
        key: _listed(_setting(run, key) for run in runs)
        for key in ("attribution", "pooling", "score")
    }
    grids = _listed(" x ".join(map(str, f.run.columns["map"].shape)) for f in frames)
    explained = _listed(explained_class(frame) for frame in frames)
    return (
        f"Salience maps of {_count(runs, 'model')} ({models}) were computed for "
        f"{count} with {settings['attribution']} of the score {settings['score']}, "
        f"explaining {explained}, channels pooled by {settings['pooling']}, on a grid of {grids} "
        "pixels"
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


def _statistics(analysis: Analysis) -> str:
    keys = {c.key for c in analysis.columns}
    sizes = sorted({len(g.runs) for g in analysis.summary.groups})
    runs = f"{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]} to {sizes[-1]}"
    exceptions = {
        "auc": "AUC: DeLong et al., 1988, on the logit scale",
        "accuracy": "shares: Wilson, 1927",
        "cose": "COSE: percentile bootstrap of images",
    }
    special = "; ".join(text for key, text in exceptions.items() if key in keys)
    sentences = [
        f"Models were grouped by way of training, {runs} run{'s' * (sizes != [1])} a group.",
        "Intervals are 95 %: over the images of one run by Student's t"
        f"{f' ({special})' if special else ''}, over the runs of a group and the images that they "
        "share, as two samples, by Student's t with Satterthwaite's degrees of freedom.",
    ]
    if any(r.clusters for r in analysis.summary.runs):
        sentences.append(
            "Images of one group (a video, an identity) are not independent: the groups were the "
            "sample of every interval and test, with cluster-robust variances (Bell and McCaffrey, "
            "2002; for AUC, Obuchowski, 1997) and Satterthwaite's degrees of freedom; in the "
            "bootstrap of COSE the groups were resampled, and of distances of distributions the "
            "errors were drawn by group."
        )
    if analysis.differences is not None:
        sentences += [
            "Groups were compared on the images that all runs share. The interval of a difference "
            "adds the error of the runs (Welch's t of the runs' means) and that of the images (BCa "
            "bootstrap, Efron, 1987, of the images' mean differences, its levels widened to "
            "Student's, Hesterberg, 2015), so that both are samples; where a group has one run it "
            "is over images alone.",
            "p-values are of Student's t with one part of the variance for the runs of each group "
            "and one for the images, combined by Banerjee (1961), so that they hold for other runs "
            "and other images; they were corrected by Holm (1979).",
        ]
        if any(d.exact for d in analysis.differences.designs):
            sentences.append(
                "A p-value is at least that of permutations of the runs' group labels, corrected "
                "for all numbers by Westfall and Young (1993) and for pairs of groups by "
                "Bonferroni, where these can reach 5 %."
            )
        sentences.append(_family(analysis))
        if 1 in sizes:
            sentences.append(
                "One run against one was compared over images alone, by sign flips or DeLong's "
                "paired test, which says nothing of ways of training; one run against several was "
                "compared with their spread (Crawford and Howell, 1998)."
            )
        if "auc" in keys:
            sentences.append(
                "The images' part of the variance of a difference in AUC is DeLong's, of the mean "
                "placement values of the groups."
            )
    if "agreement" in keys:
        sentences.append(
            "The interval of the agreement between runs adds the jackknife over runs (Arvesen, "
            "1969) and the BCa bootstrap over images, and groups were compared in it by a p-value "
            "of that interval: runs were the sample, never pairs of runs."
        )
    return " ".join(sentences)


def _family(analysis: Analysis) -> str:
    """Write which comparisons are corrected together."""
    differences = analysis.differences
    assert differences is not None
    names = dict.fromkeys(d.column.name for d in differences.tested if d.of_headline)
    others = any(not d.of_headline for d in differences.tested)
    if not others:
        return "All comparisons were corrected together."
    numbers = "the primary number" if differences.primary else "the numbers of the headline"
    return (
        f"The comparisons in {numbers} ({_listed(names)}) were corrected together, and so were "
        "those in all other numbers."
    )


def _left_out(analysis: Analysis) -> str:
    runs = analysis.summary.runs
    reasons = {"skipped": "could not be read"}
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


def _listed(names: Iterable[str]) -> str:
    listed = list(dict.fromkeys(names))
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
