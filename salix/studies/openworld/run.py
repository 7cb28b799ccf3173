"""Open-world study: approaches over seeds, their scores, table and page."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from salix.studies.detectors import TimedLog
from salix.studies.openworld.approaches import APPROACHES
from salix.studies.openworld.attributor import (
    Attribution,
    attribute_image,
    build_attributor,
    print_attribution,
    read_attributor,
    write_attribution,
    write_attributor,
)
from salix.studies.openworld.clusters import unit_features
from salix.studies.openworld.cues import audit_families
from salix.studies.openworld.data import OpenWorldSetting, open_world_set
from salix.studies.openworld.embedding import plane
from salix.studies.openworld.evidence import family_evidence
from salix.studies.openworld.experiment import trained_network
from salix.studies.openworld.page import ExplainedNetwork, write_page
from salix.studies.openworld.results import (
    OpenWorldResults,
    print_results,
    summarise,
    write_results,
)
from salix.studies.openworld.scoring import name_images, trial_scores
from salix.studies.openworld.training import OpenWorldTraining, predict
from salix.studies.photographs import Photographs, photographs
from salix.typing import InputError

DEFAULT_TRAINING = OpenWorldTraining()
DEFAULT_SETTING = OpenWorldSetting()
EXPLAINED = "CPL"  # the approach of the page, where it is among those of the run


def run_open_world(
    out: Path,
    *,
    seeds: int = 5,
    offline: bool = False,
    approaches: Sequence[str] = (),
    setting: OpenWorldSetting = DEFAULT_SETTING,
    training: OpenWorldTraining | None = None,
    quick: bool = False,
) -> Path:
    """Train, score and print the table; returns the path of `results.json`.

    `seeds` networks for each of `approaches`, names of `APPROACHES` and by default all, each with
    labels and forgeries of its own seed. Scores are of the faces of people without training images.
    Stages and scores that are in `out` already are not computed again. With `quick` the training
    has a tenth of the steps: it shows that the study runs, and learns little.
    """
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network for each approach, --seeds 1")
    for name in approaches:
        if name not in APPROACHES:
            known = ", ".join(map(repr, APPROACHES))
            raise InputError(f"no approach {name!r}: give {known}")
    training = training or DEFAULT_TRAINING
    if quick:
        training = shortened(training)
    log, faces = TimedLog(), photographs(offline)
    log(f"faces: {faces.origin}")
    scores = []
    for seed in range(seeds):
        data = open_world_set(faces, setting, seed=seed)
        for name in approaches or APPROACHES:
            trial = APPROACHES[name].trial(faces.origin, setting, training, seed=seed)
            log(f"{name}, seed {seed}")
            scores.append(trial_scores(out, name, trial, data, log))
    results = summarise(scores, faces.origin, setting, training, seeds)
    print_results(results)
    path = write_results(out, results)
    log(f"wrote {path}")
    names = approaches or tuple(APPROACHES)
    name = EXPLAINED if EXPLAINED in names else names[0]
    log(f"wrote {explain_network(out, name, faces, results, log)}")
    return path


def explain_network(
    out: Path,
    name: str,
    faces: Photographs,
    results: OpenWorldResults,
    log: Callable[[str], None],
) -> Path:
    """Write the page, and the attributor of new images, of the first network of an approach."""
    data = open_world_set(faces, results.setting, seed=0)
    trial = APPROACHES[name].trial(faces.origin, results.setting, results.training, seed=0)
    network = trained_network(out, trial, data, log)
    write_attributor(out, build_attributor(network, data))
    evidence = family_evidence(network, data, faces.people)
    logits, features = predict(network, data.x)
    features, test = unit_features(features), evidence.images
    predictions = name_images(APPROACHES[name], data, logits, features, seed=0)[test]
    points = plane(features[test], seed=0)
    cues = audit_families(data, out / "audit", log=log)
    explained = ExplainedNetwork(name, 0, predictions, evidence, points)
    return write_page(out, results, data, explained, cues)


def attribute_new_image(out: Path, image: Path) -> Attribution:
    """Attribute the image in a file by a finished study in `out`; print it and write its map."""
    attribution = attribute_image(read_attributor(out), image)
    print_attribution(attribution, write_attribution(out, image, attribution))
    return attribution


def shortened(training: OpenWorldTraining) -> OpenWorldTraining:
    """Return a training with a tenth of the steps of each stage."""
    return replace(
        training,
        supervised=training.supervised // 10,
        steps=max(1, training.steps // 10),
        iterative=max(1, training.iterative // 10),
    )
