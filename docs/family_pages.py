"""Pages of methods and metrics, one a member, from `catalogue.json` and the index of pictures."""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent
LINKS = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}
COMMAND = "salix explain photo.jpg --model efficientnet_lite0 --weights lite0.pth --method"
ENDS = {"higher": "higher is better", "lower": "lower is better", "": "no better end"}
MAPS = ("Grad-CAM", "input x gradient", "random numbers")  # of the values of metrics
INDEX = {
    "methods": (
        "Attribution methods",
        "family",
        "Each method is a frozen dataclass, called as `method(score, image, key)`. Costs are for "
        "one image of 224 x 224 and the default settings; `salix methods` prints this table. "
        "[Which one should I use?](../which-method.md)",
    ),
    "metrics": (
        "Metrics",
        "group",
        "Each metric is a function of one map, or of one image. Costs are for one image of "
        "224 x 224 and the default settings, beside the map; `salix metrics` prints this table.",
    ),
}


def family_pages() -> dict[str, str]:
    """Return the text of each page by its path: an index, and a page for each member."""
    records = json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8"))
    pages = {f"{kind}/index.md": _index(kind, records[kind]) for kind in INDEX}
    for kind, page in (("methods", _method_page), ("metrics", _metric_page)):
        pages |= {f"{kind}/{r['name']}.md": page(r) for r in records[kind]}
    return pages | {"gallery.md": _gallery(records["methods"])}


def evidence() -> str:
    """Return the table of the planted-truth benchmark: ranks by the truth and without it."""
    file = FOLDER.parent / "benchmarks/results/planted-truth.json"
    models = json.loads(file.read_text(encoding="utf-8"))["models"]
    heads = [f"{name}: {by}" for name in models for by in ("truth", "leaderboard")]
    rows = [f"| method | {' | '.join(heads)} |", "|---" * (1 + len(heads)) + "|"]
    ranks = [m[by]["ranks"] for m in models.values() for by in ("truth", "overall")]
    for method in ranks[0]:
        rows.append(f"| `{method}` | {' | '.join(f'{r[method]:g}' for r in ranks)} |")
    taus = [f"| {m['overall']['tau']:g} " for m in models.values()]
    return "\n".join([*rows, "| **Kendall's tau** | " + " | ".join(taus) + "|"])


def family_nav(kind: str) -> list:
    """Return the navigation of a kind: its index, then a section for each family."""
    records = json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8"))[kind]
    sections = [
        {_heading(name): [{r["title"]: f"{kind}/{r['name']}.md"} for r in members]}
        for name, members in _by(records, INDEX[kind][1]).items()
    ]
    return [f"{kind}/index.md", *sections]


def _by(records: list[dict], key: str) -> dict[str, list[dict]]:
    groups: dict[str, list[dict]] = {}
    for record in records:
        groups.setdefault(record[key] or "other", []).append(record)
    return groups


def _heading(name: str) -> str:
    return name[:1].upper() + name[1:]


def _index(kind: str, records: list[dict]) -> str:
    title, key, text = INDEX[kind]
    blocks = [f"# {title}", text]
    for name, members in _by(records, key).items():
        last = "range" if kind == "metrics" else "picture"
        rows = [f"| name | cost in passes | needs | paper | {last} |", "|---|---|---|---|---|"]
        for r in members:
            end = _range(r) if kind == "metrics" else _thumbnail(r, "../")
            cells = (f"[`{r['name']}`]({r['name']}.md)<br>{r['title']}", _cost(r), _needs(r))
            rows.append(f"| {' | '.join((*cells, _source(r['source']), end))} |")
        blocks += [f"## {_heading(name)}", "\n".join(rows)]
    return "\n\n".join(blocks) + "\n"


def _method_page(r: dict) -> str:
    facts = {
        "Family": r["family"],
        "Paper": _source(r["source"]),
        "Cost": f"{_cost(r)}, for one image with the default settings",
        "Needs": _needs(r),
        "Images": "with " + " or ".join(map(str, r["axes"])) + " axes" if r["axes"] else "any axes",
        "Random": "yes: the result depends on the key" if r["random"] else "no",
    }
    blocks = [f"# {r['title']}", _facts(facts)]
    if (settings := _pictures().get(r["name"])) is not None:
        blocks.append(
            f"![{r['title']} of a cup of espresso and of a cat](../pictures/{r['name']}.webp)\n\n"
            f"`{settings}` of EfficientNet-Lite0 and the predicted class, on photographs of "
            "Rachel Michetti and Stéfan van der Walt (CC0, scikit-image)."
        )
    blocks += [_reference(r), "## On the command line", _shell(f"{COMMAND} {r['name']}")]
    return "\n\n".join(blocks) + "\n"


def _shell(command: str) -> str:
    return f"```sh\n{command} --out map.png\n```"


def _metric_page(r: dict) -> str:
    call = f"`{r['name']}({', '.join(r['arguments'])})`"
    facts = {
        "Group": r["group"],
        "Paper": _source(r["source"]),
        "Called as": call,
        "Range": f"{_range(r)}; {ENDS[r['direction']]}",
        "Cost": f"{_cost(r)}, for one image with the default settings",
        "Needs": _needs(r),
        "Score": r["score"] or "none",
        "Presets": ", ".join(f"`{p}`" for p in r["presets"]) or "none",
    }
    return "\n\n".join([f"# {r['title']}", _facts(facts), *_example(r), _reference(r)]) + "\n"


def _example(r: dict) -> list[str]:
    """Return the values of a metric for the maps of the picture of metrics."""
    values = json.loads((FOLDER / "pictures/values.json").read_text(encoding="utf-8"))
    if r["name"] not in values:
        return []
    texts = ["undefined" if value is None else f"{value:g}" for value in values[r["name"]]]
    cells = [f"{title}: **{text}**" for title, text in zip(MAPS, texts, strict=True)]
    picture = (
        "![Maps of Grad-CAM, of input x gradient, and of random numbers](../pictures/metrics.webp)"
    )
    return [
        picture,
        f"{'; '.join(cells)}. Espresso by EfficientNet-Lite0, with the default settings; one image "
        "is an example and no evidence.",
    ]


def _facts(facts: dict[str, str]) -> str:
    rows = [f"| **{name}** | {text} |" for name, text in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def _reference(r: dict) -> str:
    """Return the directive by which mkdocstrings writes signature, docstring and source."""
    options = ("heading_level: 2", "show_root_heading: true", "show_root_toc_entry: true")
    options += ("show_root_full_path: false", "merge_init_into_class: true")
    return "\n".join(
        [f"::: {r['module']}.{r['name']}", "    options:", *(f"      {o}" for o in options)]
    )


def _gallery(records: list[dict]) -> str:
    blocks = [
        "# Gallery",
        "Every method on the same two photographs, by EfficientNet-Lite0: espresso (94 %) and "
        "Egyptian cat (38 %). Each map is divided by the 99th percentile of its own magnitudes. "
        "A map that looks right is no evidence that it is: see the [metrics](metrics/index.md).",
    ]
    for name, members in _by(records, "family").items():
        cards = [
            f"<a href='methods/{r['name']}.html'>{_image(r, '')}<br>{r['title']}</a>"
            for r in members
            if r["name"] in _pictures()
        ]
        if cards:
            blocks += [f"## {_heading(name)}", f"<div class='gallery'>{''.join(cards)}</div>"]
    return "\n\n".join(blocks) + "\n"


def _thumbnail(r: dict, up: str) -> str:
    return _image(r, up, " class='thumbnail'") if r["name"] in _pictures() else ""


def _image(r: dict, up: str, more: str = "") -> str:
    return f"<img{more} src='{up}pictures/{r['name']}.webp' alt='{r['title']}' loading='lazy'>"


def _pictures() -> dict[str, str]:
    """Return the text of the settings of each method that has a picture."""
    return json.loads((FOLDER / "pictures/index.json").read_text(encoding="utf-8"))


def _source(text: str) -> str:
    """Return a source with links from its identifiers."""

    def link(match: re.Match[str]) -> str:
        return f"[{match[0]}]({LINKS[match[1]]}{match[2]})"

    return re.sub(r"\b(arXiv|doi):([^\s,;]+)", link, text)


def _cost(r: dict) -> str:
    if r["passes"] is None:
        return r.get("cost") or "depends on the settings"
    counts = {name[:-1]: count for name, count in r["passes"].items() if count}
    texts = [f"{n:,} {name}{'s' * (n > 1)}" for name, n in counts.items()]
    return ", ".join(texts) or "none"


def _needs(r: dict) -> str:
    return ", ".join(r["needs"]) or "nothing more"


def _range(r: dict) -> str:
    low, high = ("" if r[end] is None else f"{r[end]:g}" for end in ("low", "high"))
    return f"{low or '−∞'} to {high or '∞'}"
