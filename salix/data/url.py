"""Addresses of remote files, whose text in messages, ids and manifests has no credentials."""

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from salix.typing import InputError

# Protocols of fsspec that read files. Others run programs, log in to machines or write caches.
PROTOCOLS = ("s3", "s3a", "gs", "gcs", "hf", "http", "https", "memory", "file", "zip")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(::[A-Za-z0-9+.-]+)*://")
# Parameters of a query that sign it or are keys; those of S3 and Google Storage have prefixes.
_SECRET = re.compile(
    r"(x-amz-.*|x-goog-.*|awsaccesskeyid|googleaccessid|signature|sig|expires|policy|key-pair-id"
    r"|s[eiprstv]|srt|sip|spr|sk[eistvo]+d?|.*token.*|.*secret.*|.*password.*|(api)?[-_]?key|auth.*)",
    re.IGNORECASE,
)


def is_url(text: str) -> bool:
    """Whether a text is the address of a remote file, `s3://…` or `zip://…::file.zip`."""
    return _URL.match(text) is not None


def public(text: str) -> str:
    """Return an address without user names, passwords and the parameters of signed queries."""
    return "::".join(_public(link) for link in text.split("::"))


def _public(link: str) -> str:
    protocol, separator, rest = link.partition("://")
    if not separator:
        return link
    query = ""
    if protocol.startswith("http"):
        rest, _, query = rest.partition("#")[0].partition("?")
    host, slash, path = rest.partition("/")
    host = host.rpartition("@")[2] if protocol != "hf" else host
    unsigned = [p for p in query.split("&") if p and not _SECRET.fullmatch(p.partition("=")[0])]
    return f"{protocol}://{host}{slash}{path}" + ("?" + "&".join(unsigned) if unsigned else "")


@dataclass(frozen=True)
class Url:
    """Address of a file or folder as fsspec reads it; its text is that without credentials.

    `zip://a/b.png::s3://bucket/faces.zip` is a file in a zip file. Raises `InputError` for a
    protocol that is not read.
    """

    full: str = field(repr=False)

    def __post_init__(self):
        for link in self.full.split("::"):
            protocol, separator, _ = link.partition("://")
            chained = link != self.full.split("::")[-1]
            if (separator and protocol not in PROTOCOLS) or (chained and not separator):
                raise InputError(
                    f"{self}: {protocol[:20]}:// is not read: give a path or one of "
                    f"{', '.join(f'{p}://' for p in PROTOCOLS)}"
                )

        if self.protocol == "zip" and "::" not in self.full:
            raise InputError(
                f"{self}: write zip://::FILE.zip for all of a zip file, zip://FOLDER::FILE.zip or "
                "zip://*.jpg::FILE.zip for a part"
            )

    def __str__(self) -> str:
        return public(self.full)

    @property
    def protocol(self) -> str:
        """The protocol of the file itself."""
        return self.full.partition("://")[0]

    @property
    def is_local(self) -> bool:
        """Whether the address ends at a file of this machine."""
        last = self.full.rpartition("::")[2]
        return last.startswith("file://") or "://" not in last

    @property
    def name(self) -> str:
        """The last part of the path, that of the container where the path is empty."""
        return (
            self.path.rstrip("/").rpartition("/")[2] or re.split("::|/", str(self).rstrip("/"))[-1]
        )

    @property
    def suffix(self) -> str:
        """The suffix of the name with its dot."""
        return Path(self.name).suffix

    @property
    def parent(self) -> "Url":
        """The folder, without a query."""
        folder, slash, _ = self.path.rstrip("/").rpartition("/")
        return self._with(folder + slash)

    def __truediv__(self, path: str) -> "Url":
        own = self.path
        return self._with(own + "/" * bool(own and not own.endswith("/")) + path)

    @property
    def path(self) -> str:
        """The path behind the protocol, with its host or bucket and without a query."""
        path = self.full.partition("::")[0].partition("://")[2]
        return path.partition("?")[0] if self.protocol.startswith("http") else path

    def _with(self, path: str) -> "Url":
        _, chain, rest = self.full.partition("::")
        return Url(f"{self.protocol}://{path}{chain}{rest}")


def place_of(text: str | Path | Url) -> Path | Url:
    """Return a path, or the address of a remote file; `file://` is a path."""
    if not isinstance(text, str) or not is_url(text):
        return Path(text) if isinstance(text, str) else text
    if text.startswith("file://") and "::" not in text:
        return Path(unquote(urlsplit(text).path))
    return Url(text)


def resolve(folder: Path | Url, path: str) -> Path | Url:
    """Return the file that a path relative to a folder, an absolute one or an address names."""
    return place_of(path) if is_url(path) else folder / path


def lexists(place: Path | Url) -> bool:
    """Whether a path exists; a remote file is known only once it is read."""
    return isinstance(place, Url) or os.path.lexists(place)
