"""The page: one HTML file that needs nothing else, and its table as JSON beside it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salix.analysis import frame
from salix.analysis.agreement import agreement as agreement_of
from salix.analysis.agreement import compare_maps
from salix.analysis.columns import TableColumn, columns
from salix.analysis.cose import COLUMNS as COSE
from salix.analysis.differences import differences
from salix.analysis.summary import ENTROPIES, Numbers, as_rows, reduce_runs
from salix.report import export, heatmap, palette
from salix.report.sections import methods
from salix.report.sections.distributions import figure
from salix.report.sections.gallery import gallery
from salix.report.sections.headline import headline
from salix.report.sections.mean_maps import averages
from salix.report.sections.overview import panels
from salix.report.sections.series import all_courses
from salix.report.sections.stability import stable
from salix.report.sections.subsets import collections, tidy
from salix.stats import Interval
from salix.store import Run
from salix.typing import InputError

SKIPPED = 100  # listed at most; all are counted
BESIDE = (".json", ".parquet", ".csv", ".tex")  # written beside the page
MEASURES = 4  # distributions of further measures


def write(
    runs: Sequence[Run],
    out: Path | str,
    *,
    title: str = "Salix report",
    intro: Sequence[str] = (),
    agreement: Mapping[str, Interval] | None = None,
    baselines: Mapping[str, float] | None = None,
    region: str = "reference mask region",
    in_set: Sequence[str] | None = None,
    examples: int = 6,
) -> Path:
    """Write the report of `runs` to `out`, and its numbers beside it for machines.

    Under the same name: `.json` (the headline and the table), `.parquet` (a row for each number),
    `.csv` and `.tex` (the table of groups).

    Runs of one group differ by their training seed only. `intro` are paragraphs that say what
    was asked; `agreement` is how far the maps of two runs of a group agree, by group, computed from
    the stored maps unless given; `baselines` are AUCs of trivial detectors, by name; `region` names
    what the reference masks mark; `in_set` names the collections, the first parts of the ids, that all
    others are compared with. The same runs give the same bytes. Returns `out`. Raises `InputError`
    for no run, a directory that is not one, two runs of one name, an unknown group or collection,
    and an `out` that is a folder or has the name of one of the others.
    """
    out = Path(out)
    if out.is_dir() or out.suffix in BESIDE:
        raise InputError(f"{out} cannot be the report: name a file, such as report.html")
    names = [run.name for run in runs]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise InputError(f"several runs are named {', '.join(twice)}: give each its own name")
    if agreement is None:
        agreement = agreement_of(runs)
    numbers = reduce_runs(runs, agreement, baselines)
    told = [*columns(list(numbers.measures), region, frame.columns(runs)), *COSE]
    order = {g.name: palette.mark(i) for i, g in enumerate(numbers.groups)}
    # Runs of a group stand together everywhere, whatever order they were given in.
    runs = sorted(runs, key=lambda r: list(order).index(r.group))
    shown = [c for c in told if _appears(numbers, c.key)]
    pictured, gathered = gallery(runs), collections(runs, list(order), in_set)
    differ = differences(runs, numbers, shown)
    sentence = headline(numbers, told, region, differ)
    compared = compare_maps(runs)
    texts = {".csv": export.as_csv(numbers, shown), ".tex": export.as_latex(numbers, shown)}
    page = _render(
        title=title,
        intro=list(intro),
        region=region,
        headline=sentence,
        marks=order,
        numbers=numbers,
        columns=shown,
        panels=panels(
            numbers, told, pictured.region if "relevance_mass" in numbers.measures else None
        ),
        gallery=pictured,
        examples=pictured.examples(examples),
        runs=runs,
        figures=_figures(runs, [order[r.group] for r in runs], told),
        courses=all_courses(runs, numbers, order),
        unnamed=[n for n in numbers.measures if n not in frame.columns(runs)],
        differences=differ,
        stable=stable(compared),
        collections=gathered,
        averages=averages(runs, list(order)),
        methods=methods.paragraphs(runs, numbers),
        downloads=[(f"report{end}", _address(text)) for end, text in texts.items()],
        skipped=_skipped(runs),
        skipped_most=SKIPPED,
        facts=[_facts(run) for run in runs],
        mixed=len({json.dumps(r.manifest["config"]["data"], sort_keys=True) for r in runs}) > 1,
        stops=heatmap.scale_stops(),
        longest=heatmap.SMOOTH,
    )
    table = {"title": title, "headline": sentence.text, "evidence": list(sentence.evidence)}
    table |= {"region": region, "rows": as_rows(numbers)}
    table["differences"] = export.as_differences(differ)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    beside = json.dumps(table, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    out.with_suffix(".json").write_text(beside, encoding="utf-8")
    export.write_parquet(
        export.tidy(runs, numbers, shown) + tidy(gathered), out.with_suffix(".parquet")
    )
    for end, text in texts.items():
        out.with_suffix(end).write_text(text, encoding="utf-8")
    return out


def _render(**context: Any) -> str:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from plotly.offline import get_plotlyjs

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        style=(here / "style.css").read_text(),
        script=(here / "draw.js").read_text(),
        plotly=get_plotlyjs(),
        **context,
    )


def _address(text: str) -> str:
    return f"data:text/plain;base64,{b64encode(text.encode()).decode()}"


def _appears(numbers: Numbers, key: str) -> bool:
    if key == "agreement":
        return any(g.agreement is not None for g in numbers.groups)
    return any(key in run.numbers for run in numbers.runs)


def _figures(
    runs: Sequence[Run], order: list[palette.Mark], told: Sequence[TableColumn]
) -> list[Any]:
    keys = [c.key for c in told if c.key not in ("auc", "accuracy", "agreement", *ENTROPIES)]
    chosen = {"spatial_entropy", "histogram_entropy", *keys[:MEASURES]}
    wanted = [c for c in told if c.key in chosen]
    made = (figure(f"figure-{i}", runs, order, c) for i, c in enumerate(wanted))
    return [f for f in made if f is not None]


def _skipped(runs: Sequence[Run]) -> list[tuple[str, str, list[str]]]:
    """Return (id, reason, runs): an image that every run failed to read is one line."""
    found: dict[tuple[str, str], list[str]] = {}
    for run in runs:
        for row in frame.skipped(run):
            found.setdefault((row["id"], row["skipped"]), []).append(run.name)
    return [(id, reason, names) for (id, reason), names in found.items()]


def _facts(run: Run) -> dict[str, Any]:
    """Return what the numbers of a run rest on, from its manifest."""
    config = run.manifest["config"]
    grid = " × ".join(map(str, run.grid))
    told = ("model", "attribution", "pooling", "score", "precision")
    chosen = {key: str(config[key]) for key in told if key in config}
    return {
        "name": run.name,
        "group": run.group,
        "settings": chosen,
        "grid": grid,
        "explained": frame.explained(run),
        "manifest": json.dumps(run.manifest, indent=2, ensure_ascii=False, sort_keys=True),
    }
