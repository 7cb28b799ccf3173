"""Sentences on how groups differ, that claim what the rows of the table allow and no more."""

from collections.abc import Mapping
from dataclasses import dataclass

from salix.analysis.answer import WORDS, Answer, apart
from salix.analysis.significance import points
from salix.analysis.summary import Group

Part = str | Group  # a group is printed in its colour
Parts = tuple[Part, ...]
NAMES = {"spatial_entropy": "spatial entropy ", "agreement": "mean SSIM "}


@dataclass(frozen=True)
class Claims:
    """Writes sentences on `groups`; `reference` is the one that all others are held to."""

    groups: Mapping[str, Group]
    region: str
    reference: str | None

    def compare(self, hit: Answer | None, look: Answer | None) -> Parts:
        """Tell what differs in AUC or accuracy and in what is looked at; one may be None."""
        if hit is None or look is None:
            only = hit or look
            assert only is not None  # the caller describes where there is nothing to compare
            return _sentence(self._claim(only) if only.told else self._alike(only))
        if hit.told and look.told:
            if set(hit.ends) == set(look.ends):
                return _sentence(self._both(hit, look))
            return (*_sentence(self._claim(hit)), " ", *_sentence(self._claim(look)))
        if hit.told:
            they = set(hit.ends) == set(look.names)
            return (*_sentence(self._claim(hit)), " ", *_sentence(self._alike(look, they=they)))
        if look.told:
            named = set(hit.names) == set(look.ends)
            return _sentence((*self._alike(hit), ", but ", *self._claim(look, named=named)))
        if set(hit.names) == set(look.names):
            return _sentence((*self._alike(hit), f" or in {self._values(look)}"))
        return (*_sentence(self._alike(hit)), " ", *_sentence(self._alike(look)))

    def _claim(self, answer: Answer, *, named: bool = False) -> Parts:
        """Say of one group what sets it apart from another, which may have been named."""
        key, (one, other) = answer.row.column.key, answer.ends
        if key == "spatial_entropy":  # told from its lower end
            one, other = other, one
        start = ("the runs of ",) if key == "agreement" else ()
        than = " than those of " if key == "agreement" else " than "
        rest = () if named else (than, self.groups[other])
        verb = self._verb(key, more=key != "spatial_entropy")
        return (*start, self.groups[one], f" {verb}", *rest, self._bracket(answer, one, other))

    def _both(self, hit: Answer, look: Answer) -> Parts:
        """Go on about the better group, as the other number tells the same two apart."""
        (one, other), key = hit.ends, look.row.column.key
        more = look.ends[0] == one
        start = " but " if key != "spatial_entropy" and not more else " and "
        whose = "its runs " if key == "agreement" else ""
        told = look.limited and look.runs == hit.runs  # once, at the end
        first = self._verb(hit.row.column.key, more=True)
        return (
            *(self.groups[one], f" {first} than ", self.groups[other]),
            self._bracket(hit, one, other, count=not told),
            f"{start}{whose}{self._verb(key, more=more)}",
            self._bracket(look, one, other),
        )

    def _verb(self, key: str, *, more: bool) -> str:
        degree = "more" if more else "less"
        if key == "relevance_mass":
            return f"has {degree} of its salience inside the {self.region}"
        if key == "spatial_entropy":
            return f"spreads its salience over {degree} of the image"
        if key == "agreement":
            return f"agree {degree} on where to look"
        return "has a higher AUC" if key == "auc" else f"is {degree} accurate"

    def _bracket(self, answer: Answer, one: str, other: str, *, count: bool = True) -> str:
        """Write both numbers, unless other images turn their order, and how sure it is."""
        row, key = answer.row, answer.row.column.key
        a, b = (self.groups[n].shown(key).value for n in (one, other))
        told = f"{NAMES.get(key, '')}{' against '.join(apart(row.column, a, b))}"
        told += " right" if key == "accuracy" else ""
        if not (a > b if answer.ends[0] == one else a < b):
            size = abs(row.comparison.difference.value)
            told = f"by {points(apart(row.column, size, 0.0)[0])} on the images that all runs share"
        return f" ({told}{self._strength(answer, count=count)})"

    def _strength(self, answer: Answer, *, count: bool) -> str:
        verdict, among = answer.row.verdict, len(answer.rows)
        word = WORDS[verdict] if verdict != "clear" or among > 1 else ""
        if among > 1:
            word += f" for {sum(d.verdict == verdict for d in answer.rows)} of {among} pairs"
        runs = answer.runs if count and answer.limited else ""
        told = ": ".join(t for t in (runs, word) if t)
        return f"; {told}" if told else ""

    def _alike(self, answer: Answer, *, they: bool = False) -> Parts:
        """Say that the groups cannot be told apart in a number."""
        names, number = answer.names, self._values(answer)
        if they:
            return (f"they cannot be told apart in {number}",)
        if len(names) == 2:
            one, other = (self.groups[n] for n in names)
            return (one, " and ", other, f" cannot be told apart in {number}")
        if self.reference is not None:
            start, of = f"none of {len(names) - 1} other groups", self.groups[self.reference]
            return (f"{start} can be told apart from ", of, f" in {number}")
        return (f"no two of {len(names)} groups can be told apart in {number}",)

    def _values(self, answer: Answer) -> str:
        """Name a number and write it for two groups, or the least and greatest of many."""
        column = answer.row.column
        name = "AUC" if column.key == "auc" else column.name[0].lower() + column.name[1:]
        found = [self.groups[n].shown(column.key).value for n in answer.names]
        if len(found) > 2:
            found = [min(found), max(found)]
        joint = " to " if len(answer.names) > 2 else " and "
        values = joint.join(column.format(v, 2) for v in found)
        over = {d.comparison.over for d in answer.rows}
        alone = f"; {answer.runs}" if over == {"images"} else ""
        return f"{name} ({values}{alone})"


def _sentence(parts: Parts) -> Parts:
    """End a sentence, and begin it with a capital letter unless a group's name does."""
    first = parts[0]
    start = first[0].upper() + first[1:] if isinstance(first, str) else first
    return (start, *parts[1:], ".")
