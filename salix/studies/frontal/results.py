"""Results of a study of frontal faces: tables by yaw, before and after."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from salix.analysis.summary import plain_limits
from salix.atomic import atomic
from salix.data.assets import AssetError
from salix.stats import Interval
from salix.studies.detectors import TimedLog
from salix.studies.frontal.alignment import take_apart
from salix.studies.frontal.data import FrontalSet
from salix.studies.frontal.forensics import fake_probabilities
from salix.studies.frontal.measures import (
    by_group,
    describe_faces,
    first_ranks,
    image_measures,
    similarities,
    verification,
)
from salix.studies.frontal.recogniser import FaceRecogniser
from salix.studies.frontal.salience import areas, part_masses, similarity_maps
from salix.studies.frontal.training import Frontaliser

SALIENCE_SIDE = 224  # of the recogniser's images, for maps of 7 x 7
KINDS = ("before", "after")
PRINTED = ("l1", "ssim", "symmetry", "identity", "perceptual", "rank1")


def evaluate_frontal(
    data: FrontalSet,
    recogniser: FaceRecogniser,
    frontaliser: Frontaliser,
    *,
    salience: bool,
    log: TimedLog,
) -> dict[str, Any]:
    """Return the tables of the test subjects: the faces as they are, and their frontal images.

    The gallery has the frontal image of every subject, those of training too. Each group of yaw,
    and "all", has each measure as value, low, high over subjects. With `salience` also what the
    recogniser looks at, and whether detectors take the images for fakes.
    """
    rows = np.flatnonzero(data.test)
    faces, truths, _ = take_apart(data.pictures[rows] / np.float32(255), data.side)
    labels, groups = data.labels[rows], np.array(data.group)[rows]
    images = {"before": faces, "after": frontaliser(data.pictures[rows])}
    gallery = describe_faces(recogniser, data.gallery / np.float32(255))
    wanted = describe_faces(recogniser, truths)
    tables: dict[str, Any] = {"pairs": len(rows), "subjects": len(np.unique(labels))}
    for kind in KINDS:
        features = describe_faces(recogniser, images[kind])
        cosines = similarities(features, gallery)
        values = image_measures(images[kind], truths, features, wanted)
        values["rank1"] = first_ranks(cosines, labels)
        tables[kind] = _plain(by_group(values, groups, labels))
        for group, cells in tables[kind].items():
            of = np.flatnonzero((groups == group) | (group == "all"))
            cells["verification"] = plain_limits(verification(cosines[of], labels[of]))
    log("measured " + ", ".join(f"{k} L1 {tables[k]['all']['l1'][0]:.3f}" for k in KINDS))
    if salience:
        kinds = {"profile": faces, "synthesis": images["after"], "truth": truths}
        tables["salience"] = _salience(data, rows, kinds, recogniser)
        try:
            detected = fake_probabilities(kinds)
        except AssetError as error:
            log(f"no detectors: {error}")
            detected = {}
        tables["detectors"] = {}
        for name, by_kind in detected.items():
            cells = {k: {"fake": v, "called": v > 0.5} for k, v in by_kind.items()}
            of_all = {k: by_group(v, groups, labels)["all"] for k, v in cells.items()}
            tables["detectors"][name] = _plain(of_all)
    return tables


def _salience(
    data: FrontalSet, rows: np.ndarray, kinds: Mapping[str, Any], recogniser: FaceRecogniser
) -> dict[str, Any]:
    """Return the shares of the parts of the face, and mean maps, by kind of image."""
    fine = FaceRecogniser(recogniser.graph, recogniser.params, SALIENCE_SIDE)
    gallery = describe_faces(fine, kinds["truth"]).embeddings
    labels = data.labels[rows]
    groups = np.array(data.group)[rows]
    table: dict[str, Any] = {"area": areas(), "maps": {}}
    for kind, images in kinds.items():
        maps = similarity_maps(describe_faces(fine, images), gallery)
        points = data.landmarks[rows] if kind == "profile" else data.fronts[rows]
        shares = by_group(part_masses(maps, points), groups, labels)
        table[kind] = _plain(shares)
        table["maps"][kind] = maps.mean(0).tolist()
    return table


def _plain(tables: Mapping[str, Mapping[str, Interval]]) -> dict[str, dict[str, list[Any]]]:
    return {g: {n: plain_limits(i) for n, i in cells.items()} for g, cells in tables.items()}


def write_results(out: Path, results: Mapping[str, Any]) -> Path:
    """Write `results.json`: study, training, history, tables, ablation and what is left out."""
    path = out / "results.json"
    with atomic(path) as unfinished:
        unfinished.write_text(json.dumps(results, indent=1) + "\n")
    return path


def print_tables(results: Mapping[str, Any]) -> None:
    """Print the measures by yaw, before and after, and those of the ablation."""
    main = results["main"]
    print("yaw     " + " ".join(f"{name:>19}" for name in (*PRINTED, "verification")))
    for group in main["before"]:
        cells = []
        for name in (*PRINTED, "verification"):
            before, after = (main[kind][group][name][0] for kind in KINDS)
            cells.append(f"{_text(before):>8} to {_text(after):>7}")
        print(f"{group:8}" + " ".join(f"{cell:>19}" for cell in cells))
    for name, tables in results.get("ablation", {}).items():
        cells = " ".join(f"{n} {_text(tables['after']['all'][n][0])}" for n in PRINTED)
        print(f"{name}: {cells}")


def _text(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
