"""Notes to the user that do not end a command: one line each, by default on stderr."""

import logging
import re

logger = logging.getLogger("salix")
# Control characters, surrogates, and marks that turn the direction of a line around.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def note(message: str) -> None:
    """Log one line as a warning of the logger "salix", which prints on stderr by default."""
    logger.warning("%s", printable(message))


def printable(text: str) -> str:
    r"""Return a text for a terminal: control characters as escapes, `\x1b`."""
    return _CONTROL.sub(lambda m: m[0].encode("unicode_escape").decode(), text)
