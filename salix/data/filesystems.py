"""Filesystems of fsspec: opening, further attempts where the network fails, and reasons."""

import os
import socket
import stat
import time
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from typing import Any, TypeVar

from salix.data.bounds import Unreadable
from salix.data.url import Url
from salix.typing import InputError

Result = TypeVar("Result")

WAITS = (0.5, 1.0, 2.0)  # seconds before each attempt after the first
TIMEOUT = 30  # seconds without a byte of an http server
PACKAGES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "hf": "huggingface_hub"}
PACKAGES |= {"http": "aiohttp", "https": "aiohttp"}
NO_RANGES = "the server does not send parts of files"
RETRIED = (408, 425, 429, 500, 502, 503, 504)  # status of http


def require(url: Url) -> None:
    """Raise `InputError` where the package that reads an address is not installed."""
    for link in url.full.split("::"):
        protocol, separator, _ = link.partition("://")
        try:
            if separator:
                import fsspec

                fsspec.get_filesystem_class(protocol)
        except ImportError:
            package = PACKAGES.get(protocol, "fsspec")
            raise InputError(
                f"{url}: {protocol}:// needs the package {package}: pip install 'salix[remote]', "
                f"or {package} alone"
            ) from None


def attempt(url: Url, action: Callable[[], Result]) -> Result:
    """Return what an action returns, after further attempts where the network failed.

    Raises `Unreadable` with a reason that has no credentials, and `InputError` for a package that
    is not installed.
    """
    for wait in (*WAITS, None):
        try:
            return action()
        except (Unreadable, InputError, MemoryError):
            raise
        except ImportError:
            require(url)
            raise
        except Exception as error:  # each filesystem raises errors of its own packages
            reason, transient = failure(error)
            if wait is None or not transient:
                attempts = f" ({len(WAITS) + 1} attempts)" * transient
                raise Unreadable(reason + attempts) from None
        time.sleep(wait)
    raise AssertionError


def failure(error: Exception) -> tuple[str, bool]:
    """Return the reason of a failed access, and whether another attempt may succeed.

    The texts of errors name addresses with their signatures: only those of the system are shown.
    """
    kind = type(error).__name__
    status = getattr(error, "status", None) or getattr(error, "code", None)
    status = int(status) if isinstance(status, int | str) and str(status).isdigit() else None
    if "range requests" in str(error):
        return NO_RANGES, False
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return "not found", False
    if isinstance(error, PermissionError) or status in (401, 403):
        return "no permission: check the address, and the credentials of its service", False
    if "Credential" in kind or "Token" in kind:
        return f"no credentials ({kind}): log in to its service", False
    if status is not None:
        return f"the server answers with status {status}", status in RETRIED
    if isinstance(error, TimeoutError) or "Timeout" in kind:
        return "no answer in time", True
    cause = getattr(error, "os_error", error)
    if isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN:
        return "no such host", False
    if isinstance(cause, OSError) or kind.startswith(("Client", "Server", "Endpoint", "Connect")):
        number = getattr(cause, "errno", None)
        return f"network error: {os.strerror(number) if number else kind}", True
    return f"cannot be read ({kind})", False


def filesystem(url: Url) -> tuple[Any, str]:
    """Return the filesystem of an address, and the path of the file in it."""
    require(url)
    head, chain, rest = url.full.partition("::")
    text = f"{url.protocol}://{chain}{rest}"
    files = attempt(url, lambda: _filesystem(text, os.getpid(), _version(rest)))
    return files, files._strip_protocol(head)


@lru_cache(64)
def _filesystem(text: str, process: int, version: tuple[int, ...]) -> Any:
    """Return a filesystem, one for all threads of a process and each version of a zip file."""
    import fsspec

    del process, version
    options = {p: _http_options() for p in ("http", "https") if f"{p}://" in text}
    if "::" not in text:
        protocol = text.partition("://")[0]
        return fsspec.filesystem(protocol, **options.get(protocol, {}), skip_instance_cache=True)
    return fsspec.core.url_to_fs(text, **options)[0]


def _version(rest: str) -> tuple[int, ...]:
    """Return the time and size of the local file at the end of a chain, () where it is remote."""
    last = rest.rpartition("::")[2].removeprefix("file://")
    if not rest or "://" in last:
        return ()
    status = os.stat(last)
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for its writer
        raise Unreadable("the zip file is no regular file")
    return status.st_mtime_ns, status.st_size


def _http_options() -> dict[str, Any]:
    timeout = import_module("aiohttp").ClientTimeout(
        total=None, sock_connect=TIMEOUT / 3, sock_read=TIMEOUT
    )
    return {"client_kwargs": {"timeout": timeout}}
