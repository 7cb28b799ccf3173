"""Open-world study: approaches over seeds, their scores, table and page."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from salix.studies.detectors import TimedLog
from salix.studies.openworld.approaches import APPROACHES
from salix.studies.openworld.attributor import (
    FamilyAttribution,
    attribute_image,
    build_attributor,
    print_attribution,
    read_attributor,
    write_attribution,
    write_attributor,
)
from salix.studies.openworld.clusters import unit_features
from salix.studies.openworld.cues import audit_families
from salix.studies.openworld.data import OpenWorldSet, OpenWorldSetting, open_world_set
from salix.studies.openworld.embedding import plane
from salix.studies.openworld.evidence import family_evidence
from salix.studies.openworld.experiment import trained_network
from salix.studies.openworld.page import ExplainedNetwork, write_page
from salix.studies.openworld.protocol_files import (
    SEED,
    ProtocolSetting,
    protocol_files,
    read_protocol,
)
from salix.studies.openworld.protocols import PROTOCOLS
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
    names = _checked(seeds, approaches)
    training = training or DEFAULT_TRAINING
    if quick:
        training = shortened(training)
    log, faces = TimedLog(), photographs(offline)
    log(f"faces: {faces.origin}")

    def sets() -> Iterator[tuple[str, OpenWorldSet]]:
        for seed in range(seeds):
            yield faces.origin, open_world_set(faces, setting, seed=seed)

    path, results = _compare(out, sets(), names, setting, training, log)
    name = EXPLAINED if EXPLAINED in names else names[0]
    log(f"wrote {explain_network(out, name, faces, results, setting, log)}")
    return path


def run_protocol(
    out: Path,
    root: Path,
    protocol: int,
    *,
    seeds: int = 5,
    approaches: Sequence[str] = (),
    training: OpenWorldTraining | None = None,
) -> Path:
    """Train on a protocol of OW-DFA in folders of `root` and print the table, as `run_open_world`.

    Each seed draws images and labels of its own, the first by the seed of the released code.
    Raises `InputError` with a list of the classes that are missing in `root`.
    """
    names, setting, log = _checked(seeds, approaches), ProtocolSetting(protocol), TimedLog()

    def sets() -> Iterator[tuple[str, OpenWorldSet]]:
        for seed in range(seeds):
            files = protocol_files(root, PROTOCOLS[protocol], seed=SEED + seed)
            yield f"protocol {protocol}, files {files.digest}", read_protocol(files, setting.side)

    return _compare(out, sets(), names, setting, training or DEFAULT_TRAINING, log)[0]


def _checked(seeds: int, approaches: Sequence[str]) -> tuple[str, ...]:
    """Return the names of approaches, by default all; raises `InputError` for unknown ones."""
    if seeds < 1:
        raise InputError(f"{seeds} seeds: train at least one network for each approach, --seeds 1")
    for name in approaches:
        if name not in APPROACHES:
            known = ", ".join(map(repr, APPROACHES))
            raise InputError(f"no approach {name!r}: give {known}")
    return tuple(approaches) or tuple(APPROACHES)


def _compare(
    out: Path,
    sets: Iterable[tuple[str, OpenWorldSet]],
    names: Sequence[str],
    setting: OpenWorldSetting | ProtocolSetting,
    training: OpenWorldTraining,
    log: Callable[[str], None],
) -> tuple[Path, OpenWorldResults]:
    """Train and score approaches on each set, the origin and images of a seed; print and write."""
    scores, origin, seeds = [], "", 0
    for seed, (of_seed, data) in enumerate(sets):
        origin, seeds = origin or of_seed, seed + 1
        for name in names:
            trial = APPROACHES[name].trial(of_seed, setting, training, seed=seed)
            log(f"{name}, seed {seed}")
            scores.append(trial_scores(out, name, trial, data, log))
    results = summarise(scores, origin, setting, training, seeds)
    print_results(results)
    path = write_results(out, results)
    log(f"wrote {path}")
    return path, results


def explain_network(
    out: Path,
    name: str,
    faces: Photographs,
    results: OpenWorldResults,
    setting: OpenWorldSetting,
    log: Callable[[str], None],
) -> Path:
    """Write the page, and the attributor of new images, of the first network of an approach."""
    data = open_world_set(faces, setting, seed=0)
    trial = APPROACHES[name].trial(faces.origin, setting, results.training, seed=0)
    network = trained_network(out, trial, data, log)
    write_attributor(out, build_attributor(network, data))
    evidence = family_evidence(network, data, faces.people)
    logits, features = predict(network, data.x)
    features, test = unit_features(features), evidence.images
    predictions = name_images(APPROACHES[name], data, logits, features, seed=0)[test]
    points = plane(features[test], seed=0)
    cues = audit_families(data, out / "audit", log=log)
    explained = ExplainedNetwork(name, 0, predictions, evidence, points)
    return write_page(out, results, setting, data, explained, cues)


def attribute_new_image(out: Path, image: Path) -> FamilyAttribution:
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
