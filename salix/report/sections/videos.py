"""Section: rates of detectors by frame and by video, with the design effect of frames."""

from typing import Any

from salix.analysis import Analysis
from salix.analysis.columns import BETTER, TableColumn
from salix.analysis.summary import plain_interval
from salix.analysis.video_rates import VideoRates, video_rates
from salix.report.export import record
from salix.report.section import Section, read_template

LOWER = "lower is better"
COLUMNS = (
    TableColumn("auc", "AUC", BETTER, 0.0, 1.0),
    TableColumn("eer", "EER", LOWER, 0.0, 1.0, True),
    TableColumn("ap", "AP", BETTER, 0.0, 1.0),
    TableColumn("tpr_0.001", "TPR at FPR 0.1\u202f%", BETTER, 0.0, 1.0, True),
    TableColumn("tpr_0.01", "TPR at FPR 1\u202f%", BETTER, 0.0, 1.0, True),
    TableColumn("tpr_0.05", "TPR at FPR 5\u202f%", BETTER, 0.0, 1.0, True),
    TableColumn("acer", "Least ACER", LOWER, 0.0, 1.0, True),
)
NAMES = {"frames": "frames", "mean": "videos: mean", "max": "videos: max", "top5": "videos: 5 best"}


def build(analysis: Analysis) -> Section | None:
    """Tabulate the rates of each run in groups; None where no run has groups and two logits."""
    runs = video_rates(analysis.frames)
    if not runs:
        return None
    return Section(
        "videos",
        "By frame and by video",
        read_template(__file__),
        {"columns": COLUMNS, "videos": [(run, _levels(run)) for run in runs], "names": NAMES},
        link="Videos",
        records=[
            record("video", run.group, run.run, key, level, interval)
            for run in runs
            for level, rates in _levels(run).items()
            for key, interval in rates.items()
        ],
        data={"videos": [_data(run) for run in runs]},
    )


def _levels(run: VideoRates) -> dict[str, Any]:
    return {"frames": run.frames, **run.videos}


def _data(run: VideoRates) -> dict[str, Any]:
    rates = {
        level: {key: plain_interval(i) for key, i in rates.items()}
        for level, rates in _levels(run).items()
    }
    head = {"run": run.run, "group": run.group, "videos": list(run.counts)}
    return head | {"intraclass_correlation": run.correlation, "design_effect": run.effect} | rates
