"""The one sentence at the top of the page, chosen by what the intervals allow."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from salix.report.columns import Column
from salix.report.contrast import Contrast, contrast
from salix.report.tables import Group, Numbers

EQUAL = 0.02  # a smaller difference of AUC or accuracy is of no practical weight
LOOKS = ("inside", "spatial_entropy", "agreement")  # in the order in which they are told

Part = str | Group  # a group is printed in its colour
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Headline:
    """The sentence in parts, and the evidence that it rests on."""

    parts: Parts
    evidence: tuple[str, ...]

    @property
    def text(self) -> str:
        """The sentence as plain text."""
        return "".join(p if isinstance(p, str) else p.name for p in self.parts)


def headline(numbers: Numbers, columns: Sequence[Column], region: str) -> Headline:
    """Compare two or more groups, describe one, and claim no more than the intervals carry."""
    write = _Writer({c.key: c for c in columns}, region, numbers.groups)
    if not any(r.images for r in numbers.runs):
        skipped = sum(r.skipped for r in numbers.runs)
        why = f"all {skipped} images were skipped" if skipped else "no rows are finished yet"
        return Headline((f"Nothing was measured: {why}.",), ())
    hit = _first_contrast(numbers.groups, ("auc", "accuracy"))
    looks = [c for k in LOOKS if (c := contrast(numbers.groups, k)) is not None]
    look = next((c for c in looks if c.clear), looks[0] if looks else None)
    if hit is None and look is None:
        return Headline(write.describe(), ())
    evidence = [write.evidence(c) for c in (hit, look) if c is not None]
    return Headline(write.compare(hit, look), tuple(evidence))


def _first_contrast(groups: Sequence[Group], keys: Sequence[str]) -> Contrast | None:
    return next((c for k in keys if (c := contrast(groups, k)) is not None), None)


@dataclass(frozen=True)
class _Writer:
    columns: dict[str, Column]
    region: str
    groups: tuple[Group, ...]

    def compare(self, hit: Contrast | None, look: Contrast | None) -> Parts:
        if look is None or not look.clear:
            return self._alike_looks(hit, look)
        seen = self._look(look)
        if hit is None:
            return ("Unequal in what they look at: ", *seen, ".")
        if hit.clear and hit.difference.value > EQUAL:
            return (*self._better(hit), *self._further(hit, look), ".")
        start = "No clear difference in accuracy"
        if hit.difference.value <= EQUAL:
            start = "Nearly equally accurate" if hit.clear else "Equally accurate"
        joint = ", but " if start.startswith("No") else ", "
        both = self._both(hit.key, look)
        return (f"{start}{joint}unequal in what they look at: {both}, but ", *seen, ".")

    def _alike_looks(self, hit: Contrast | None, look: Contrast | None) -> Parts:
        if hit is not None and hit.clear and hit.difference.value > EQUAL:
            more = "" if look is None else " No clear difference in what they look at."
            return (*self._better(hit), f".{more}")
        c = look or hit
        assert c is not None  # the caller describes where there is nothing to compare
        told = [self._both(i.key, c) for i in (hit, look) if i is not None]
        names: Parts = ("between ", c.high, " and ", c.low)
        if len(self.groups) > 2:
            names = (f"between the {len(self.groups)} groups",)
        return ("No clear difference ", *names, f": {'; '.join(told)}.")

    def _better(self, hit: Contrast) -> Parts:
        a, b = self._two(hit)
        name = self.columns[hit.key].name if hit.key == "auc" else "accuracy"
        return (hit.high, " is more accurate than ", hit.low, f" ({name} {a} against {b})")

    def _look(self, look: Contrast) -> Parts:
        a, b = self._two(look)
        if look.key == "inside":
            where = f"of its salience inside the {self.region}"
            return (look.high, f" has {a} {where}, ", look.low, f" {b}")
        if look.key == "agreement":
            ssim = f"(mean SSIM {a} against {b})"
            seeds = "agree more on where to look than those of "
            return ("the runs of ", look.high, f" {seeds}", look.low, f" {ssim}")
        entropy = f" (spatial entropy {b} against {a})"
        return (look.low, " spreads its salience over less of the image than ", look.high, entropy)

    def _further(self, hit: Contrast, look: Contrast) -> Parts:
        """Go on about the better group, if the other number tells the same two apart."""
        if {hit.high.name, hit.low.name} != {look.high.name, look.low.name}:
            return (". They look at different things: ", *self._look(look))
        a, b = self._two(look)
        more = look.high.name == hit.high.name
        pair = f"({a} against {b})" if more else f"({b} against {a})"
        if look.key == "inside":
            what = f"{'and has more' if more else 'but has less'} of its salience"
            return (f" {what} inside the {self.region} {pair}",)
        if look.key == "agreement":
            agree = "and its runs agree more" if more else "but its runs agree less"
            return (f" {agree} on where to look {pair}",)
        extent = f"over {'more' if more else 'less'} of the image"
        return (f" and spreads its salience {extent}, spatial entropy {pair[1:-1]}",)

    def _two(self, c: Contrast) -> tuple[str, str]:
        return self._number(c.high, c.key), self._number(c.low, c.key)

    def _number(self, group: Group, key: str) -> str:
        return self.columns[key].format(group.shown(key).value, 2)

    def _both(self, key: str, order: Contrast) -> str:
        """Write a number of two groups in the order in which they are named, or of many."""
        column = self.columns[key]
        name = column.name if key == "auc" else column.name[0].lower() + column.name[1:]
        if len(self.groups) > 2:
            values = sorted(v for g in self.groups if np.isfinite(v := g.shown(key).value))
            ends = f"{column.format(values[0], 2)} to {column.format(values[-1], 2)}"
            return f"{name} {ends} over {len(values)} groups"
        named = [order.high, order.low]
        if order.key == "spatial_entropy":  # told from its lower end
            named.reverse()
        return f"{name} {' and '.join(self._number(g, key) for g in named)}"

    def describe(self) -> Parts:
        """Say what one group does, or several that share no number."""
        parts: list[Part] = []
        for group in self.groups:
            told = [t for k in ("auc", "accuracy", *LOOKS) if (t := self._told(group, k))]
            if "auc" in (keys := [k for k in ("auc", "accuracy") if group.values(k)]) and keys[1:]:
                told.pop(1)  # AUC says it better than accuracy
            parts += [". " if parts else "", group, ": ", ", ".join(told) or "nothing is defined"]
        return (*parts, ".")

    def _told(self, group: Group, key: str) -> str:
        interval = group.shown(key)
        if not np.isfinite(interval.value):
            return ""
        value, values = self._number(group, key), group.values(key)
        if len(values) > 1:
            low, high = (self.columns[key].format(v, 2) for v in (min(values), max(values)))
            value += f" ({low} to {high} over {len(values)} runs)"
        words = {
            "auc": f"AUC {value}",
            "accuracy": f"{value} of the images classified correctly",
            "inside": f"{value} of the salience inside the {self.region}",
            "spatial_entropy": f"spatial entropy {value} (1 = spread evenly over the image)",
            "agreement": f"agreement between runs {value}",
        }
        return words[key]

    def evidence(self, c: Contrast) -> str:
        column = self.columns[c.key]
        size, limits = column.format(c.difference.value), column.limits(c.difference)
        size = size.replace("%", "points")
        verdict = "clear" if c.clear else "not clear"
        given = f" {limits}" if limits else ""
        who = f"{c.high.name} − {c.low.name}"
        why = f": {c.why}" if c.why else ""
        return f"{column.name}, {who}: {size}{given}, {verdict}{why}"
