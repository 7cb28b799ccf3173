"""Sentences on what limits a comparison."""

import numpy as np

from salix.compare.comparison import Comparison
from salix.compare.quality import completeness_errors
from salix.compare.slices import metadata_slices
from salix.stats import cluster_count

FEW_UNITS = 30  # images, or clusters of them
STABLE = 0.6  # Hennig (2007): concepts below are not to be interpreted
ROUNDING = 0.05  # of the total: a greater mean error of completeness is of too few steps


def comparison_notes(comparison: Comparison) -> tuple[str, ...]:
    """Limits of a comparison that a reader must know, the gravest first."""
    table = comparison.table
    notes = list(table.notes)
    notes += _groups(comparison)
    clusters = cluster_count(table.clusters)
    units = clusters or len(table.ids)
    if units < FEW_UNITS:
        plural = "" if units == 1 else "s"
        kind = f"group{plural} of images" if clusters else f"image{plural}"
        notes.append(
            f"Only {units} {kind}: intervals are wide and small differences are missed; compare "
            "over more images"
        )
    notes += _concepts(comparison)
    notes += _completeness(comparison)
    notes += metadata_slices(table.metadata)[1]
    if not np.isfinite(table.drop).any():
        notes.append(
            "Masking was not measured: sweep with --measures regions, which masks each region, to "
            "see whether what has the larger share also changes the score more"
        )
    if not (table.labels >= 0).any():
        notes.append(
            "The images have no labels: there are no quadrants. Sweep class folders, or a table "
            "with the column label, to see where only one model is right"
        )
    return tuple(dict.fromkeys(notes))


def _groups(comparison: Comparison) -> list[str]:
    """Whether runs can stand for their recipe."""
    groups = comparison.groups
    single = [g for g in dict.fromkeys(groups) if groups.count(g) == 1]
    if not single:
        return []
    names = ", ".join(single)
    return [
        f"One run only of {names}: a difference of one run against one may be a matter of the "
        "training seed. Train with other seeds, sweep with one --group for all runs of a recipe, "
        "and compare them all"
    ]


def _concepts(comparison: Comparison) -> list[str]:
    concepts = comparison.concepts
    notes = []
    if not concepts.supported:
        notes.append(
            "No number of concepts is more stable than for structureless data: read the concepts "
            "as a partition of the regions, not as kinds of things; or give --concepts"
        )
    unstable = np.flatnonzero(concepts.concept_stability < STABLE)
    if len(unstable):
        names = ", ".join(str(k + 1) for k in unstable)
        which = names if len(unstable) < concepts.count else f"all {concepts.count}"
        notes.append(
            f"Concepts that other images would not give again (stability below {STABLE}): {which}"
        )
    return notes


def _completeness(comparison: Comparison) -> list[str]:
    """Models whose attributions do not sum to the change of the score."""
    table, notes = comparison.table, []
    for name, relative in zip(table.models, completeness_errors(table), strict=True):
        if relative > ROUNDING:
            notes.append(
                f"The attributions of {name} miss the change of its score by {100 * relative:.0f} "
                "% of their total on average: sweep with more steps, as by --attribution "
                "\"IntegratedGradients(baseline='black_white', steps=100)\""
            )
    return notes
