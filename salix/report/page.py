"""The report page: one self-contained HTML file, and its numbers beside it."""

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from salix.analysis import Analysis, analyse
from salix.analysis.run_metrics import REGION
from salix.report import heatmap
from salix.report.export import write_parquet
from salix.report.figure_files import check_folder, write_figures
from salix.report.headline import headline
from salix.report.palette import Palette
from salix.report.section import Build, Section
from salix.report.sections import SECTIONS
from salix.report.templates import template_environment
from salix.stats import Interval
from salix.store import Run
from salix.typing import InputError

BESIDE = (".json", ".parquet")  # written beside the page, with the downloads of its sections


def write(
    runs: Sequence[Run],
    out: Path | str,
    *,
    title: str = "Salix report",
    intro: Sequence[str] = (),
    agreement: Mapping[str, Interval] | None = None,
    baselines: Mapping[str, float] | None = None,
    region: str = REGION,
    in_set: Sequence[str] | None = None,
    primary: str | None = None,
    sections: Sequence[Build] = SECTIONS,
) -> Path:
    """Analyse runs and write their report to `out`: `write_page` of `analyse`, with its options.

    Raises `InputError` for no run, a directory that is not one, two runs of one name, an unknown
    group, subset or primary number, and an `out` that is a folder or has the name of one of the
    files beside it.
    """
    analysis = analyse(
        runs,
        agreement=agreement,
        baselines=baselines,
        region=region,
        in_set=in_set,
        primary=primary,
    )
    return write_page(analysis, out, title=title, intro=intro, sections=sections)


def write_page(
    analysis: Analysis,
    out: Path | str,
    *,
    title: str = "Salix report",
    intro: Sequence[str] = (),
    sections: Sequence[Build] = SECTIONS,
    figures: Path | str | None = None,
) -> Path:
    """Write the report of an analysis to `out`, and its numbers beside it for machines.

    Under the same name: `.json` (headline, table and differences), `.parquet` (a row for each
    number), `.csv` and `.tex` (the table of groups). In the CSV, an apostrophe stands before names
    that a spreadsheet would run as a formula. `intro` are paragraphs below the headline.
    The same runs give the same bytes. Returns `out`. `figures` is a folder for the figures, see
    `write_figures`. Raises `InputError` for an `out` that is a folder or has the name of one of the
    files beside it, and for `figures` where `write_figures` does.
    """
    out = Path(out)
    if figures is not None:
        check_folder(Path(figures))
    if out.is_dir() or out.suffix in BESIDE:
        raise InputError(f"{out} cannot be the report: name a file, such as report.html")
    built = [section for build in sections if (section := build(analysis)) is not None]
    if out.suffix in {d.suffix for section in built for d in section.downloads}:
        raise InputError(f"{out} cannot be the report: name a file, such as report.html")
    sentence = analysis.derive(headline)
    page = _render(analysis, built, title=title, intro=list(intro))
    data: dict[str, Any] = {"title": title, "headline": sentence.text}
    data |= {"evidence": list(sentence.evidence), "region": analysis.region, "differences": []}
    if analysis.grouped_rows:
        data["warnings"] = [analysis.grouped_rows.text]
    for section in built:
        data |= section.data
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page, encoding="utf-8")
    text = json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    out.with_suffix(".json").write_text(text, encoding="utf-8")
    records = [record for section in built for record in section.records]
    write_parquet(records, out.with_suffix(".parquet"))
    for download in (d for section in built for d in section.downloads):
        out.with_suffix(download.suffix).write_text(download.text, encoding="utf-8")
    if figures is not None:
        write_figures(built, Path(figures))
    return out


def _render(
    analysis: Analysis, sections: Sequence[Section], *, title: str, intro: list[str]
) -> str:
    from markupsafe import Markup
    from plotly.offline import get_plotlyjs

    here = Path(__file__).parent
    environment = template_environment(here)
    shared = {
        "palette": Palette(analysis.groups),
        "region": analysis.region,
        "summary": analysis.summary,
    }
    contents = []
    for section in sections:
        downloads = [
            (f"report{d.suffix}", f"data:text/plain;base64,{b64encode(d.text.encode()).decode()}")
            for d in section.downloads
        ]
        context = shared | {"downloads": downloads} | dict(section.context)
        content = environment.from_string(section.template).render(context)
        contents.append((section, Markup(content)))  # rendered with autoescape
    datasets = {json.dumps(r.manifest["config"]["data"], sort_keys=True) for r in analysis.runs}
    return environment.get_template("page.html").render(
        **shared,
        title=title,
        intro=intro,
        headline=analysis.derive(headline),
        mixed=len(datasets) > 1,
        grouped_rows=analysis.grouped_rows,
        sections=contents,
        figures=any(section.figures for section in sections),
        stops=heatmap.scale_stops(),
        style=(here / "style.css").read_text(),
        script=(here / "draw.js").read_text(),
        plotly=get_plotlyjs(),
    )
