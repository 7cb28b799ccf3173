"""Pictures and example values on the pages of methods and metrics, and the gallery."""

import json
from pathlib import Path

from family_facts import cost_text, grouped, heading

FOLDER = Path(__file__).parent / "pictures"
MAPS = ("Grad-CAM", "input x gradient", "random numbers")  # of the values of metrics
DEAREST = ("non_sensitivity", "region_attack")  # metrics without values
NETWORK = "EfficientNet-Lite0"
TRANSFORMER = "a detector of generated images on CLIP ViT-B/16"


def method_picture(r: dict) -> list[str]:
    """Return the picture of a method, with its settings and its network."""
    if (settings := pictures().get(r["name"])) is None:
        return []
    return [
        f"![{r['title']} of a cup of espresso and of a cat](../pictures/{r['name']}.webp)",
        f"`{settings}` of {network(r)} and the predicted class, on photographs of Rachel Michetti "
        "and Stéfan van der Walt (CC0, scikit-image).",
    ]


def example_values(r: dict) -> list[str]:
    """Return the values of a metric for the maps of the picture of metrics, or why it has none."""
    if r["name"] in DEAREST:
        return [f"No example values: {cost_text(r)} of a photograph take an hour on a CPU."]
    values = json.loads((FOLDER / "values.json").read_text(encoding="utf-8"))
    if r["name"] not in values:
        return []
    texts = ["undefined" if value is None else f"{value:g}" for value in values[r["name"]]]
    cells = [f"{title}: **{text}**" for title, text in zip(MAPS, texts, strict=True)]
    pair = "Each map and that of Grad-CAM, scaled and on one grid. " * (r["group"] == "similarity")
    return [
        "![Maps of Grad-CAM, of input x gradient, and of random numbers](../pictures/metrics.webp)",
        f"{'; '.join(cells)}. {pair}Espresso by {NETWORK}, with the default settings; one image is "
        "an example and no evidence.",
    ]


def gallery(records: list[dict]) -> str:
    """Return the page of all pictures, family by family."""
    blocks = [
        "# Gallery",
        f"Every method on the same two photographs, by {NETWORK}: espresso (94 %) and Egyptian cat "
        f"(38 %); methods of attention by {TRANSFORMER}. Each map is divided by the 99th "
        "percentile of its own magnitudes. A map that looks right is no evidence that it is: see "
        "the [metrics](metrics/index.md).",
    ]
    for name, members in grouped(records, "family").items():
        cards = [
            f"<a href='methods/{r['name']}.html'>{image(r, '')}<br>{r['title']}</a>"
            for r in members
            if r["name"] in pictures()
        ]
        if cards:
            blocks += [f"## {heading(name)}", f"<div class='gallery'>{''.join(cards)}</div>"]
    return "\n\n".join(blocks) + "\n"


def network(r: dict) -> str:
    """Return the name of the network that a picture explains."""
    return TRANSFORMER if r["family"] == "attention" else NETWORK


def thumbnail(r: dict, up: str) -> str:
    """Return a small picture of a method, `up` the way to the root of the site."""
    return image(r, up, " class='thumbnail'") if r["name"] in pictures() else ""


def image(r: dict, up: str, more: str = "") -> str:
    """Return the picture of a method as HTML."""
    return f"<img{more} src='{up}pictures/{r['name']}.webp' alt='{r['title']}' loading='lazy'>"


def pictures() -> dict[str, str]:
    """Return the text of the settings of each method that has a picture."""
    return json.loads((FOLDER / "index.json").read_text(encoding="utf-8"))
