"""Facts of methods and metrics as text of their pages: source, cost, needs, range."""

import re

LINKS = {"arXiv": "https://arxiv.org/abs/", "doi": "https://doi.org/"}


def grouped(records: list[dict], key: str) -> dict[str, list[dict]]:
    """Return records by the value of a key."""
    groups: dict[str, list[dict]] = {}
    for record in records:
        groups.setdefault(record[key] or "other", []).append(record)
    return groups


def heading(name: str) -> str:
    """Return a name with its first letter in capitals."""
    return name[:1].upper() + name[1:]


def fact_table(facts: dict[str, str]) -> str:
    """Return a table of names and texts, without a heading."""
    rows = [f"| **{name}** | {text} |" for name, text in facts.items()]
    return "\n".join(["| | |", "|---|---|", *rows])


def linked_source(text: str) -> str:
    """Return a source with links from its identifiers."""

    def link(match: re.Match[str]) -> str:
        return f"[{match[0]}]({LINKS[match[1]]}{match[2]})"

    return re.sub(r"\b(arXiv|doi):([^\s,;]+)", link, text)


def cost_text(r: dict) -> str:
    """Return the cost of a record in passes, in words where it depends on the model."""
    if r["passes"] is None:
        return r.get("cost") or "depends on the settings"
    counts = {name[:-1]: count for name, count in r["passes"].items() if count}
    texts = [f"{n:,} {name}{'s' * (n > 1)}" for name, n in counts.items()]
    return ", ".join(texts) or "none"


def settled_cost(r: dict) -> str:
    """Return the cost of a record, and what it is for."""
    cost = cost_text(r)
    return cost if cost == "none" else f"{cost}; for one image with the default settings"


def needs_text(r: dict) -> str:
    """Return what a method or metric needs."""
    return ", ".join(r["needs"]) or "nothing more"


def range_text(r: dict) -> str:
    """Return the range of a metric."""
    low, high = ("" if r[end] is None else f"{r[end]:g}" for end in ("low", "high"))
    return f"{low or '−∞'} to {high or '∞'}"
