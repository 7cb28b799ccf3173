"""Sentences of the headline: claims of significant differences, and their absence."""

from collections.abc import Mapping
from dataclasses import dataclass

from salix.analysis import GroupSummary
from salix.analysis.significance import NumberDifferences, distinct_values, points

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
        numbers = [number for number in (hit, look) if number is not None]
        scopes = [self._scope(number) for number in numbers]
        if hit is None or look is None or scopes[0] != scopes[1]:
            alone = (
                _sentence(self._claim(n) if n.significant else self._no_difference(n), scope)
                for n, scope in zip(numbers, scopes, strict=True)
            )
            first, *rest = alone
            return (*first, *(part for sentence in rest for part in (" ", *sentence)))
        return self._both_numbers(hit, look, scopes[0])

    def _scope(self, number: NumberDifferences) -> str:
        """Write what a comparison with a single run is about: these models, no way of training."""
        rows = [number.strongest] if number.significant else number.rows
        if any(min(d.comparison.n_runs) > 1 for d in rows):
            return ""
        if all(max(d.comparison.n_runs) == 1 for d in rows):
            count = 2 if number.significant else len(number.groups)
            return f"Of these {'two' if count == 2 else count} models: "
        single = [n for n in number.groups if len(self.groups[n].runs) == 1]
        named = {n for d in rows for n in (d.comparison.a, d.comparison.b)}
        ones = [n for n in single if n in named]
        return f"Of the one run of {ones[0]}: " if len(ones) == 1 else "Of single runs: "

    def _both_numbers(
        self, hit: NumberDifferences, look: NumberDifferences, scope: str
    ) -> Sentence:
        """Compare groups in two numbers that are about the same models or ways of training."""
        if hit.significant and look.significant:
            if set(hit.ends) == set(look.ends):
                return _sentence(self._same_two(hit, look), scope)
            return (*_sentence(self._claim(hit), scope), " ", *_sentence(self._claim(look)))
        if hit.significant:
            they = set(hit.ends) == set(look.groups)
            rest = self._no_difference(look, they=they)
            return (*_sentence(self._claim(hit), scope), " ", *_sentence(rest))
        if look.significant:
            named = set(hit.groups) == set(look.ends)
            claim = self._claim(look, named=named)
            return _sentence((*self._no_difference(hit), ", but ", *claim), scope)
        if set(hit.groups) == set(look.groups):
            parts = (*self._no_difference(hit), f" or in {self._values(look)}")
            return _sentence(parts, scope)
        first, second = (self._no_difference(number) for number in (hit, look))
        return (*_sentence(first, scope), " ", *_sentence(second))

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

    def _same_two(self, hit: NumberDifferences, look: NumberDifferences) -> Sentence:
        """Continue the sentence on the better group, where both numbers compare the same two."""
        (one, other), key = hit.ends, look.strongest.column.key
        more = look.ends[0] == one
        start = " but " if key != "spatial_entropy" and not more else " and "
        whose = "its runs " if key == "agreement" else ""
        return (
            *(self.groups[one], f" {self._verb(hit, more=True)} than ", self.groups[other]),
            self._bracket(hit, one, other),
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

    def _bracket(self, number: NumberDifferences, one: str, other: str) -> str:
        """Write both values, unless other images turn their order, and in how many pairs."""
        row, key, pairs = number.strongest, number.strongest.column.key, len(number.rows)
        a, b = (self.groups[n].interval(key).value for n in (one, other))
        values = f"{NAMES.get(key, '')}{' against '.join(distinct_values(row.column, a, b))}"
        values += " right" if key == "accuracy" else ""
        if not (a > b if number.ends[0] == one else a < b):
            size = points(distinct_values(row.column, abs(row.comparison.difference.value), 0.0)[0])
            values = f"by {size} on the images that all runs share"
        of_pairs = f"; significant for {number.significant} of {pairs} pairs" if pairs > 1 else ""
        return f" ({values}{of_pairs})"

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
        return f"{name} ({text})"


def _lower(name: str) -> str:
    return name[0].lower() + name[1:]


def _sentence(parts: Sentence, scope: str = "") -> Sentence:
    """End a sentence; begin it with its scope, or a capital letter unless a group's name does."""
    first = parts[0]
    if not scope and isinstance(first, str):
        return (first[0].upper() + first[1:], *parts[1:], ".")
    return (*([scope] if scope else []), *parts, ".")
