"""Files of an audit: the page, and its numbers for machines."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import salix.report
from salix.analysis.summary import plain_interval, plain_number
from salix.audit.audit import Audit
from salix.audit.detector import CopyComparison
from salix.audit.properties import KINDS
from salix.audit.screening import Screened
from salix.audit.sentences import RULE, headline, warnings
from salix.report.palette import COLOURS
from salix.report.templates import template_environment
from salix.stats import Interval

LISTED = 100  # unreadable images, at most; all are counted
BINS, WIDTH, HEIGHT = 24, 120, 26  # of a histogram, in the units of its drawing
LOW = 0.4  # left end of the scale of areas


def write_audit(audit: Audit, out: Path | str, *, title: str = "Shortcut audit") -> Path:
    """Write `out`/audit.html and audit.json, and return the page."""
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_data(audit, title), indent=1, ensure_ascii=False, allow_nan=False)
    (folder / "audit.json").write_text(text + "\n", encoding="utf-8")
    page = folder / "audit.html"
    page.write_text(_render(audit, title), encoding="utf-8")
    return page


def as_data(audit: Audit, title: str) -> dict[str, Any]:
    """Return the numbers of an audit as plain values; NaN is None."""
    s = audit.screening
    detector = audit.detector
    data: dict[str, Any] = {
        "title": title,
        "headline": headline(audit),
        "warnings": warnings(audit),
        "alarms": [a.number.key for a in s.alarms],
        "rule": RULE,
        "classes": list(s.classes),
        "images": list(s.counts),
        "groups": list(s.groups),
        "skipped": int((~audit.images.readable).sum()),
        "least_p": s.least_p,
        "tests": s.tests,
        "joint": None if s.joint is None else _screened(s.joint),
        "properties": [_screened(p) for p in s.properties],
    }
    if detector is not None:
        comparisons = [_comparison(c) for c in detector.comparisons]
        area = plain_interval(detector.area)
        data["detector"] = {"name": detector.name, "auc": area, "copies": comparisons}
    return data | {"settings": audit.settings}


def _screened(s: Screened) -> dict[str, Any]:
    head = {"key": s.number.key, "title": s.number.title, "kind": s.number.kind}
    head |= {"unit": s.number.unit, "auc": plain_interval(s.area), "higher_in": s.higher}
    numbers = {"p": plain_number(s.p), "p_adjusted": plain_number(s.p_adjusted)}
    medians = [plain_number(m) for m in s.medians]
    return head | {"medians": medians} | numbers | {"alarming": s.alarming}


def _comparison(c: CopyComparison) -> dict[str, Any]:
    intervals = {"auc": c.area, "difference": c.difference, "ssim": c.ssim, "spearman": c.spearman}
    numbers = {"p": plain_number(c.p), "p_adjusted": plain_number(c.p_adjusted)}
    plain = {name: plain_interval(i) for name, i in intervals.items()}
    return {"copies": c.name, "text": c.text} | plain | numbers | {"alarming": c.alarming}


def _render(audit: Audit, title: str) -> str:
    s, here = audit.screening, Path(__file__).parent
    columns = {p.key: values for p, values in audit.columns}
    labels = audit.labels[audit.screened]
    rows = [
        (one, histogram(columns[one.number.key], labels) if one.p == one.p else None)
        for one in s.properties
    ]
    rest = {"constant": [], "partial": []}
    for one in s.properties:
        if one.p != one.p:
            same = one.medians[0] == one.medians[1]
            name, value = one.number.title, write_number(one.medians[0])
            rest["constant" if same else "partial"].append(f"{name} ({value})" if same else name)
    skipped = [
        (id, reason)
        for id, reason in zip(audit.images.ids, audit.images.skipped, strict=True)
        if reason
    ]
    style = (Path(salix.report.__file__).parent / "style.css").read_text()
    environment = template_environment(here)
    environment.filters |= {"write": write_number, "p": write_p, "limits": write_limits}
    return environment.get_template("page.html").render(
        title=title,
        headline=headline(audit),
        warnings=warnings(audit),
        rule=RULE,
        screening=s,
        joint=s.joint,
        rows=rows,
        untested=rest,
        kinds=KINDS | {"joint": ""},
        detector=audit.detector,
        skipped=skipped[:LISTED],
        unreadable=len(skipped),
        settings=audit.settings,
        colours=COLOURS[:2],
        bar=area_bar,
        size=(WIDTH, HEIGHT),
        ticks=[(position(v), f"{v:g}") for v in (0.5, 0.75, 1.0)],
        grouped=any(g is not None for g in audit.source.groups),
        style=style,
    )


def position(area: float) -> float:
    """Place of an area under the ROC curve on the scale from `LOW` to 1, in drawing units."""
    return round(WIDTH * (min(max(area, LOW), 1.0) - LOW) / (1 - LOW), 2)


def area_bar(area: Interval) -> Mapping[str, float | None]:
    """Places of an area and the ends of its interval; None where undefined."""
    places = {"value": area.value, "low": area.low, "high": area.high}
    return {n: position(v) if np.isfinite(v) else None for n, v in places.items()}


def histogram(values: np.ndarray, labels: np.ndarray) -> tuple[str, str] | None:
    """SVG outlines of the shares of either class over 24 bins from the 1st to 99th percentile."""
    known = np.isfinite(values)
    low, high = np.percentile(values[known], [1, 99])
    if low == high:  # nearly all images have one value
        low, high = values[known].min(), values[known].max()
    if not high > low:
        return None
    edges, outlines = np.linspace(low, high, BINS + 1), []
    counts = [
        np.histogram(np.clip(values[known & (labels == k)], low, high), edges)[0] for k in (0, 1)
    ]
    shares = [c / max(c.sum(), 1) for c in counts]
    top = max(s.max() for s in shares)
    for share in shares:
        heights = np.repeat(HEIGHT * (1 - share / top), 2).round(1)
        places = np.repeat(np.linspace(0, WIDTH, BINS + 1), 2)[1:-1].round(1)
        steps = "L".join(f"{x:g} {y:g}" for x, y in zip(places, heights, strict=True))
        outlines.append(f"M0 {HEIGHT}L{steps}L{WIDTH} {HEIGHT}Z")
    return outlines[0], outlines[1]


def write_number(value: float) -> str:
    """Write a number in at most four digits, a dash for an undefined one."""
    return f"{value:.4g}".replace("-", "−") if np.isfinite(value) else "–"


def write_p(value: float) -> str:
    """Write a p-value; a dash where there is no test."""
    if not np.isfinite(value):
        return "–"
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def write_limits(i: Interval) -> str:
    """Write the limits of an interval, nothing where it has none."""
    if not (np.isfinite(i.low) and np.isfinite(i.high)):
        return ""
    return f"[{i.low:.3f}, {i.high:.3f}]".replace("-", "−")
