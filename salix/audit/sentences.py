"""Sentences of an audit: its headline, warnings and rule."""

from salix.audit.audit import Audit
from salix.audit.detector import DetectorAudit
from salix.audit.screening import LEVEL, Screening

NAMED = 3  # properties in the headline

RULE = (
    "A property is alarming if its p-value, corrected by Holm’s method for all properties and the "
    f"predictor of all together, is at most {100 * LEVEL:.0f} %, and the 95 % interval of its AUC "
    "lies above 0.5. On data without a shortcut, at most 5 % of audits have an alarm. p is the "
    "share of random exchanges of labels that have an AUC as far from 0.5; the images of a group "
    "and class keep one label. The AUC has no direction: it is the greater of a and 1 − a, so that "
    "0.5 is no information, and small data lie above it by chance. No alarm means that none was "
    "detected, and never that there is no shortcut: these are a few properties of many."
)


def headline(audit: Audit) -> str:
    """One plain sentence on what predicts the classes, and one on a detector."""
    sentence = _of_properties(audit.screening)
    return sentence if audit.detector is None else f"{sentence} {_of_detector(audit.detector)}"


def _of_properties(screening: Screening) -> str:
    real, fake = screening.classes
    both, count = f"{real} and {fake}", len([s for s in screening.properties if s.p == s.p])
    alarms = screening.alarms
    if not alarms and not screening.has_power:
        few = " and ".join(map(str, screening.groups))
        return (
            f"{few} groups of {both} are too few to detect a shortcut: no property can reach a "
            f"corrected p of {100 * LEVEL:.0f} %."
        )
    if not alarms:
        return f"None detected: none of {count} properties that need no face separates {both}."
    texts = [f"{s.number.title} (AUC {s.area.value:.3f})" for s in alarms[:NAMED]]
    rest = len(alarms) - len(texts)
    texts += [f"{rest} more"] if rest else []
    joined = ", ".join(texts[:-1]) + " and " + texts[-1] if len(texts) > 1 else texts[0]
    verb = "separates" if len(alarms) == 1 else "separate"
    return f"{joined} {verb} {both} without a look at the face: a detector may learn this instead."


def _of_detector(detector: DetectorAudit) -> str:
    losses = [c for c in detector.comparisons if c.alarming]
    area = f"The detector’s AUC of {detector.area.value:.3f}"
    if not losses:
        return f"{area} has no detected loss on copies of one coding or size."
    texts = [f"{c.area.value:.3f} on {_copies(c.name)}" for c in losses]
    return f"{area} falls to {' and to '.join(texts)}."


def _copies(name: str) -> str:
    return {"codec": "copies of one coding", "size": "copies of one size and coding"}[name]


def warnings(audit: Audit) -> list[str]:
    """Sentences on what limits the audit."""
    screening, sentences = audit.screening, []
    skipped = int((~audit.images.readable).sum())
    unlabelled = int((audit.labels < 0).sum())
    if skipped:
        sentences.append(f"{skipped} images could not be read and are left out, see below.")
    if unlabelled:
        sentences.append(f"{unlabelled} images have no label and are left out.")
    if not screening.has_power:
        sentences.append(
            f"With so few groups the smallest p is {screening.least_p:.2g}: corrected for "
            f"{screening.tests} tests, nothing can be detected."
        )
    if (look := audit.grouped) is not None:
        sentences.append(
            f"The images look like {look.groups} groups such as “{look.example}” (intraclass "
            f"correlation of {look.number}: {look.icc:.2f}), and no group was named: if they are "
            "frames of videos or pictures of one identity, intervals are too narrow and alarms may "
            f"be false. Give --group-by {look.by}, or a column group."
        )
    if names := audit.settings.get("initialised"):
        sentences.append(
            f"Of the detector, {len(names)} parameters are not in the weight file and kept the "
            "values that they were initialised with, see Settings."
        )
    if not any(audit.images.formats):
        sentences.append("The images have no files: properties of files are not known.")
    return sentences
