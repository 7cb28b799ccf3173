"""Sentences on differences between groups, no stronger than the significance of their rows."""

from collections.abc import Mapping
from dataclasses import dataclass

from salix.analysis import GroupSummary
from salix.analysis.significance import STRENGTH, NumberDifferences, distinct_values, points

SentencePart = str | GroupSummary  # a group is printed in its colour
Sentence = tuple[SentencePart, ...]
NAMES = {"spatial_entropy": "spatial entropy ", "agreement": "mean SSIM "}


@dataclass(frozen=True)
class Claims:
    """Writes sentences on `groups`; with a `reference`, all others are compared with it alone."""

    groups: Mapping[str, GroupSummary]
    region: str
    reference: str | None

    def compare(self, hit: NumberDifferences | None, look: NumberDifferences | None) -> Sentence:
        """Compare groups in AUC or accuracy and in their salience; one of them may be None."""
        if hit is None or look is None:
            only = hit or look
            assert only is not None  # the caller describes groups that nothing compares
            claim = self._claim(only) if only.any_significant else self._no_difference(only)
            return _sentence(claim)
        if hit.any_significant and look.any_significant:
            if set(hit.ends) == set(look.ends):
                return _sentence(self._both(hit, look))
            return (*_sentence(self._claim(hit)), " ", *_sentence(self._claim(look)))
        if hit.any_significant:
            they = set(hit.ends) == set(look.groups)
            rest = self._no_difference(look, they=they)
            return (*_sentence(self._claim(hit)), " ", *_sentence(rest))
        if look.any_significant:
            named = set(hit.groups) == set(look.ends)
            claim = self._claim(look, named=named)
            return _sentence((*self._no_difference(hit), ", but ", *claim))
        if set(hit.groups) == set(look.groups):
            return _sentence((*self._no_difference(hit), f" or in {self._values(look)}"))
        alike = (self._no_difference(number) for number in (hit, look))
        first, second = (_sentence(parts) for parts in alike)
        return (*first, " ", *second)

    def _claim(self, number: NumberDifferences, *, named: bool = False) -> Sentence:
        """Write how one group differs from another, which may have been named already."""
        key, (one, other) = number.strongest.column.key, number.ends
        if key == "spatial_entropy":  # written from its lower end
            one, other = other, one
        start = ("the runs of ",) if key == "agreement" else ()
        than = " than those of " if key == "agreement" else " than "
        rest = () if named else (than, self.groups[other])
        verb = self._verb(number, more=key != "spatial_entropy")
        return (*start, self.groups[one], f" {verb}", *rest, self._bracket(number, one, other))

    def _both(self, hit: NumberDifferences, look: NumberDifferences) -> Sentence:
        """Continue the sentence on the better group, where both numbers compare the same two."""
        (one, other), key = hit.ends, look.strongest.column.key
        more = look.ends[0] == one
        start = " but " if key != "spatial_entropy" and not more else " and "
        whose = "its runs " if key == "agreement" else ""
        repeated = look.limited and look.run_counts == hit.run_counts  # once, at the end
        return (
            *(self.groups[one], f" {self._verb(hit, more=True)} than ", self.groups[other]),
            self._bracket(hit, one, other, count=not repeated),
            f"{start}{whose}{self._verb(look, more=more)}",
            self._bracket(look, one, other),
        )

    def _verb(self, number: NumberDifferences, *, more: bool) -> str:
        column, degree = number.strongest.column, "more" if more else "less"
        verbs = {
            "relevance_mass": f"has {degree} of its salience inside the {self.region}",
            "spatial_entropy": f"spreads its salience over {degree} of the image",
            "agreement": f"agree {degree} on where to look",
            "accuracy": f"is {degree} accurate",
        }
        name = "AUC" if column.key == "auc" else _lower(column.name)
        return verbs.get(column.key, f"has a {'higher' if more else 'lower'} {name}")

    def _bracket(
        self, number: NumberDifferences, one: str, other: str, *, count: bool = True
    ) -> str:
        """Write both values, unless other images turn their order, and the significance."""
        row, key = number.strongest, number.strongest.column.key
        a, b = (self.groups[n].interval(key).value for n in (one, other))
        values = f"{NAMES.get(key, '')}{' against '.join(distinct_values(row.column, a, b))}"
        values += " right" if key == "accuracy" else ""
        if not (a > b if number.ends[0] == one else a < b):
            size = points(distinct_values(row.column, abs(row.comparison.difference.value), 0.0)[0])
            values = f"by {size} on the images that all runs share"
        return f" ({values}{self._strength(number, count=count)})"

    def _strength(self, number: NumberDifferences, *, count: bool) -> str:
        significance, pairs = number.strongest.significance, len(number.rows)
        word = STRENGTH[significance] if significance != "significant" or pairs > 1 else ""
        if pairs > 1:
            same = sum(d.significance == significance for d in number.rows)
            word += f" for {same} of {pairs} pairs"
        runs = number.run_counts if count and number.limited else ""
        text = ": ".join(t for t in (runs, word) if t)
        return f"; {text}" if text else ""

    def _no_difference(self, number: NumberDifferences, *, they: bool = False) -> Sentence:
        """Write that the groups cannot be told apart in a number."""
        names, values = number.groups, self._values(number)
        if they:
            return (f"they cannot be told apart in {values}",)
        if len(names) == 2:
            one, other = (self.groups[n] for n in names)
            return (one, " and ", other, f" cannot be told apart in {values}")
        if self.reference is not None:
            start, group = f"none of {len(names) - 1} other groups", self.groups[self.reference]
            return (f"{start} can be told apart from ", group, f" in {values}")
        return (f"no two of {len(names)} groups can be told apart in {values}",)

    def _values(self, number: NumberDifferences) -> str:
        """Name a number, with its values for two groups, or the least and greatest of many."""
        column = number.strongest.column
        name = "AUC" if column.key == "auc" else _lower(column.name)
        values = [self.groups[n].interval(column.key).value for n in number.groups]
        if len(values) > 2:
            values = [min(values), max(values)]
        joint = " to " if len(number.groups) > 2 else " and "
        text = joint.join(column.format(v, 2) for v in values)
        over_images = {d.comparison.over for d in number.rows} == {"images"}
        return f"{name} ({text}{f'; {number.run_counts}' if over_images else ''})"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _sentence(parts: Sentence) -> Sentence:
    """End a sentence, and begin it with a capital letter unless a group's name does."""
    first = parts[0]
    start = first[0].upper() + first[1:] if isinstance(first, str) else first
    return (start, *parts[1:], ".")
