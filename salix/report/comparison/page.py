"""The page that compares models region by region: one HTML file, and a folder beside it."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from salix.compare import Comparison
from salix.data import Source
from salix.report.comparison.images import frame_aspect, read_pictures
from salix.report.comparison.maps import pack_maps, scale_limit, split_images, write_chunks
from salix.report.comparison.payload import build_payload
from salix.report.templates import template_environment
from salix.typing import InputError

# In the order in which they are concatenated.
SCRIPTS = (
    *("arrays", "student", "statistics", "resample", "payload", "state", "view", "dom", "colours"),
    *("pictures", "headline", "matrix", "table", "dumbbell", "regionmap", "distribution"),
    *("detail", "panels", "keys", "main"),
)
PICTURES = 6 * 2**20  # bytes of embedded pictures; those that follow lie beside the page
NO_PICTURE, BESIDE, EMBEDDED = 0, 1, 2


def write_comparison(
    comparison: Comparison,
    out: Path | str,
    *,
    title: str = "What the models look at, region by region",
    images: Sequence[str] | Source | None = None,
    embed: bool = False,
) -> Path:
    """Write the page of a comparison to `out`, and to the folder `NAME_files` what it loads later.

    The HTML has every number, and the maps of the examples; the maps of other images, and all
    pictures unless `embed`, lie in the folder and are read when they are looked at, so that a page
    on 10,000 images stays below 25 MB. With `embed`, pictures of the examples and of as many other
    images as fit 6 MiB are in the HTML. `images` are paths of the compared images
    (`read_pictures`); without, the pictures are the few that the sweeps stored. The same comparison
    gives the same bytes. Returns `out`. Raises `InputError` for an `out` that is a folder, and for
    `images` with none of the ids.
    """
    out = Path(out)
    if out.is_dir() or out.suffix in (".json", ".parquet", ".js", ".jpg"):
        raise InputError(f"{out} cannot be the page: name a file, such as compare.html")
    folder = out.with_name(f"{out.stem}_files")
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file, and would be the folder of {out.name}: move it")
    table = comparison.table
    payload = build_payload(comparison, title=title)
    examples = [int(table.image[r]) for row in payload["examples"] for r in row]
    inside, outside = split_images(table, examples)
    limit = scale_limit(table, inside)
    pictures = read_pictures(comparison.runs, table.ids.tolist(), images)
    folder.parent.mkdir(parents=True, exist_ok=True)
    if len(outside):
        folder.mkdir(exist_ok=True)
    payload["maps"] = {
        "side": table.side,
        "limit": limit,
        "folder": folder.name,
        "embedded": pack_maps(table, inside, limit),
        "outside": outside.tolist(),
        "chunk": write_chunks(table, outside, limit, folder),
    }
    payload["pictures"] = _place_pictures(pictures, len(table.ids), folder, examples, embed)
    payload["pictures"]["aspect"] = frame_aspect(comparison.runs[0])
    out.write_text(_render(payload), encoding="utf-8")
    return out


def _place_pictures(
    pictures: Iterable[tuple[int, bytes]],
    count: int,
    folder: Path,
    examples: Sequence[int],
    embed: bool,
) -> dict[str, Any]:
    """Write pictures beside the page, or return them; `where` has a code for each image."""
    where = np.full(count, NO_PICTURE)
    embedded: dict[int, str] = {}
    first, room = set(examples), PICTURES
    for n, jpeg in pictures:
        if embed and (n in first or len(jpeg) <= room):
            embedded[n] = b64encode(jpeg).decode()
            room -= len(jpeg)
            where[n] = EMBEDDED
        else:
            folder.mkdir(exist_ok=True)
            (folder / f"picture-{n}.jpg").write_bytes(jpeg)
            where[n] = BESIDE
    return {"where": where.tolist(), "embedded": embedded}


def _render(payload: dict[str, Any]) -> str:
    from jinja2.utils import htmlsafe_json_dumps
    from plotly.offline import get_plotlyjs

    here = Path(__file__).parent
    environment = template_environment(here)
    style = [here.parent / "style.css", here / "comparison.css"]
    *others, last = (model["name"] for model in payload["models"])
    explained = dict(payload["facts"])["Explained class"]
    without = sum(code == NO_PICTURE for code in payload["pictures"]["where"])
    return environment.get_template("comparison.html").render(
        payload=payload,
        lead=f"{', '.join(others)} and {last} on the same {payload['images']['count']} images, "
        f"explained class: {explained}.",
        without=without,
        json=htmlsafe_json_dumps(payload),
        style="".join(path.read_text(encoding="utf-8") for path in style),
        script="\n".join((here / f"{n}.js").read_text(encoding="utf-8") for n in SCRIPTS),
        plotly=get_plotlyjs(),
    )
