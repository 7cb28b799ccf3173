"""Comparison of run directories: regions, concepts and shares from their rows alone."""

import sys
from pathlib import Path

from salix.compare.comparison import Comparison
from salix.compare.concepts import cluster_regions
from salix.compare.embedding import embed_regions
from salix.compare.reading import read_regions
from salix.compare.shares import concept_shares
from salix.store import Run
from salix.typing import InputError

RunLike = Run | Path | str


def compare(
    run_a: RunLike,
    run_b: RunLike,
    *more: RunLike,
    embedding: str = "descriptor",
    concepts: int | None = None,
    scale: str = "share",
    own_prediction: bool = False,
    metadata: Path | str | None = None,
    level: float = 0.95,
    seed: int = 0,
    show: bool = False,
) -> Comparison:
    r"""Compare models region by region, from runs of sweeps with the measure `Regions`.

    Runs or their directories, two or more over the same images. The regions that any model relies
    on are grouped into `concepts` (their number; by stability where it is None) by `embedding`:
    "descriptor" (neutral), "features" (of all models), or the name of a model. Each model's
    attribution on each concept is measured in `scale`, by default the share of |attribution|, which
    does not change with the scale of the logits; overlapping regions share no pixel, see
    `concept_shares`. The models are compared within images:
    `Comparison.differences`. With several runs of one group (`salix sweep --group`, other training
    seeds) groups are compared too, over runs and images.

    `own_prediction`: let each model explain its own prediction, though these may differ.
    `metadata`: a table of columns to slice by, with the column `id` or `path`. `level`: of
    intervals and tests. `seed`: of regions, concepts, resamples and swaps. `show`: print progress
    on stderr. After the published description of IMACS (Schoop et al., 2022, arXiv:2201.11196).
    Raises `InputError` for runs that cannot be compared and for options out of range, with what to
    do instead.
    """
    if not 0 < level < 1:
        raise InputError(f"level={level}: give a level between 0 and 1, such as 0.95")
    runs = tuple(r if isinstance(r, Run) else Run(Path(r)) for r in (run_a, run_b, *more))

    def note(text: str) -> None:
        if show:
            print(text, file=sys.stderr)

    note(f"reading regions of {len(runs)} runs")
    options = {"own_prediction": own_prediction, "metadata": metadata}
    table = read_regions(runs, seed=seed, **options)
    note(f"grouping {len(table.image)} regions of {len(table.ids)} images into concepts")
    space = embed_regions(table.embeddings, embedding)
    groups = cluster_regions(
        space.values, table.image, clusters=table.clusters, count=concepts, seed=seed
    )
    note(f"comparing {groups.count} concepts")
    shares = concept_shares(table, groups.labels, groups.count, scale=scale)
    return Comparison(runs, table, space, groups, shares, scale, level, seed)
