"""Statistics in the methods paragraph: intervals, tests, and what was corrected together."""

from collections.abc import Iterable

from salix.analysis import Analysis


def describe_statistics(analysis: Analysis) -> str:
    """Describe the intervals, tests and corrections of these runs."""
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
        f"The comparisons in {numbers} ({listed(names)}) were corrected together, and so were "
        "those in all other numbers."
    )


def listed(names: Iterable[str]) -> str:
    """Join different names by commas and an and."""
    listed = list(dict.fromkeys(names))
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
