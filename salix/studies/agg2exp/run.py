"""Agg²Exp study: segmentation, attributions of all classes, their totals by region and a page."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from salix import spec
from salix.attribution import ARGUMENTS as EVERY_ARGUMENT
from salix.attribution import METHODS as EVERY
from salix.progress import Progress
from salix.studies.agg2exp.brain import BRAIN_SEGMENTERS, check_files, read_scan, region_names
from salix.studies.agg2exp.files import trained_network
from salix.studies.agg2exp.methods import ARGUMENTS, METHODS
from salix.studies.agg2exp.page import write_page
from salix.studies.agg2exp.phantoms import CLASSES, CONTROL, DEPENDENCES, PhantomSetting
from salix.studies.agg2exp.results import ScanResult, summarise, write_results, write_table
from salix.studies.agg2exp.scan_result import ScanStudy, explain_study_scan
from salix.studies.agg2exp.scans import Scan
from salix.studies.agg2exp.task import merge_names, parse_merges
from salix.studies.agg2exp.training import UNetSetting, draw_scans, phantom_segmenter
from salix.studies.agg2exp.windows import SlidingWindows
from salix.studies.detectors import TimedLog
from salix.typing import InputError, Method

DEFAULT_METHODS = ("Gradient", "SmoothGrad", "IG", "KernelSHAP organs")
JITTER = 0.5  # voxels, so that some followers are harder to find
QUALITY_TARGETS = 2  # dependent classes of a phantom whose attributions are scored
PICTURES = 3  # scans with slices on the page


def run_agg2exp(
    out: Path,
    *,
    model: str = "phantoms",
    scans: Sequence[str | Path] = (),
    labels: Sequence[str | Path] = (),
    methods: Sequence[str] = (),
    count: int = 12,
    window: int | None = None,
    merges: Sequence[str] = (),
    network: UNetSetting = UNetSetting(),  # noqa: B008
    seed: int = 0,
    quick: bool = False,
) -> Path:
    """Segment and explain scans, write tables and page; returns the path of `results.json`.

    `model` "phantoms" trains a U-Net on phantoms, whose dependences between organs are known, and
    explains `count` new ones; "deepbrain" and "deepbet" explain the whole-head T1 volumes of NIfTI
    files `scans`, with one file of `labels` each as regions. `methods` are names of
    `salix.studies.agg2exp.methods.METHODS`, or texts such as `SmoothGrad(samples=5)`. `merges` are
    texts such as `anchors=anchor 1,anchor 2`, of classes and regions that are one. Networks and
    scans that are in `out` already are not computed again. A scan that cannot be explained is a row
    of `skipped`. With `quick` the training has a tenth of the steps.
    """
    chosen = {name: _method(name) for name in tuple(methods) or DEFAULT_METHODS}
    if count < 1:
        raise InputError(f"{count} scans: explain at least one, --scans 1")
    windows, log, joined = SlidingWindows(window), TimedLog(), parse_merges(merges)
    if model == "phantoms":
        if scans or labels:
            others = " and ".join(BRAIN_SEGMENTERS)
            raise InputError(f"--volumes and --labels are for --model {others}: leave them out")
        _check_merges(joined, CLASSES)
        if quick:
            network = replace(network, steps=max(1, network.steps // 10))
        setting = PhantomSetting(jitter=JITTER)
        module = trained_network(out, setting, network, seed=seed, log=log)
        dependent = tuple(DEPENDENCES)[:QUALITY_TARGETS]
        segmenter = phantom_segmenter(module)
        study = ScanStudy(out, segmenter, chosen, windows, dependent, dependent[0], log, joined)
        items = [(s.name, lambda s=s: s) for s in draw_scans(setting, count, seed=seed)]
        names: tuple[str, ...] = CLASSES
    else:
        study, items, names = _brain(model, out, scans, labels, chosen, windows, log, joined)
    names = merge_names(names, joined).names
    return _run(study, items, names, known=model == "phantoms")


def _method(text: str) -> Method:
    if text in METHODS:
        return METHODS[text]
    try:
        return spec.parse(text, EVERY, {**EVERY_ARGUMENT, **ARGUMENTS})
    except InputError as error:
        raise InputError(f"{error}; or give one of {', '.join(METHODS)}") from None


def _check_merges(merges: Mapping[str, tuple[str, ...]], names: Collection[str]) -> None:
    for part in (part for parts in merges.values() for part in parts):
        if part not in names:
            raise InputError(f"--merge: no {part!r}: give names of {', '.join(sorted(names))}")


def _brain(
    model: str,
    out: Path,
    scans: Sequence[str | Path],
    labels: Sequence[str | Path],
    methods: Mapping[str, Method],
    windows: SlidingWindows,
    log: TimedLog,
    merges: Mapping[str, tuple[str, ...]],
) -> Any:
    check_files(model, scans, labels)
    brain = BRAIN_SEGMENTERS[model]()
    numbers, names = region_names(labels)
    _check_merges(merges, {*names, *brain.segmenter.classes})
    group_of = merge_names(names, merges).group_of

    def read(index: int) -> Scan:
        regions = labels[index] if labels else None
        return read_scan(brain, scans[index], regions, numbers, group_of)

    items = [(str(scan), lambda i=i: read(i)) for i, scan in enumerate(scans)]
    # A hundred passes through volumes of 128 voxels a side take minutes: no qualities here.
    return ScanStudy(out, brain.segmenter, methods, windows, (), 1, log, merges), items, names


def _run(study: ScanStudy, items: Sequence[Any], names: tuple[str, ...], *, known: bool) -> Path:
    results: list[ScanResult] = []
    pictures: list[dict[str, Any]] = []
    skipped: list[dict[str, str]] = []
    targets = study.targets
    with Progress("explaining", len(items), show=True, unit="scans") as progress:
        for name, load in items:
            try:
                scan = load()
                result, maps = explain_study_scan(
                    study, scan, names, pictured=len(pictures) < PICTURES
                )
                results.append(result)
                pictures += maps
            except InputError as error:
                reason = str(error) if name in str(error) else f"{name}: {error}"
                skipped.append({"scan": name, "reason": reason})
                study.log(f"skipped: {reason}")
            progress.advance(1)
    if not results:
        raise InputError(f"no scan could be explained: {skipped[0]['reason']}")
    write_table(study.out, results, targets, names)
    group_of = study.target_of
    pairs = {group_of[k]: group_of[v] for k, v in DEPENDENCES.items() if known}
    pairs = {k: v for k, v in pairs.items() if k != v}  # merged ones tell nothing
    control = group_of[CONTROL] if known else None
    summary = summarise(results, targets, names, dependences=pairs, control=control)
    summary |= {"skipped": skipped, "pictures": pictures, "known": bool(pairs)}
    never = [targets[t] for t, n in enumerate(summary["present"]) if n == 0]
    if never:
        study.log(f"never predicted, so without attributions: {', '.join(never)}")
    path = write_results(study.out, summary)
    study.log(f"wrote {path} and {write_page(study.out)}")
    return path
