"""Claim of a run directory by the one process that writes to it."""

import json
import os
import re
import socket
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from salix.atomic import named_error, temporary
from salix.store.processes import is_running, is_visible, namespace, started
from salix.typing import InputError

NAME = "writer.json"
TEMPORARY = re.compile(r"\.(?P<host>[^/]+)\.(?P<pid>\d+)\.tmp$")
SIGN_SECONDS = 15.0  # between two signs of life of a writer: new times of its claim
LAPSE_SECONDS = 120.0  # without a sign of life, after which a claim of another host is void


class Claimed(InputError):
    """Error: another process is writing the directory, or may be.

    `visible` is whether that process can be seen to run. One on another host cannot: its claim
    lapses without a new sign of life.
    """

    def __init__(self, message: str, file: Path, *, visible: bool):
        super().__init__(message)
        self.file, self.visible = file, visible
        self.signed = _signed(file)

    def is_stale(self) -> bool:
        """Whether the claim has had no sign of life since this error."""
        return not self.visible and _signed(self.file) == self.signed


class Claim:
    """Claim of a run directory, or of one range of it, while rows are computed, as a context.

    The claim is a file created exclusively, with host, process and time, which works on network
    file systems where locks fail. It is void once its process has ended; of a process on another
    host, which cannot be seen, once the file has had no new time for two minutes. Entering raises
    `Claimed` while another process is at work, and removes temporary files of ended ones.
    """

    def __init__(self, directory: Path):
        self.file = directory / NAME
        self.content = json.dumps(
            {
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "since": datetime.now(UTC).isoformat(timespec="seconds"),
                "started": started(os.getpid()),
                "namespace": namespace(),
            }
        )
        self.ended = threading.Event()

    def __enter__(self) -> "Claim":
        while not self._create():
            self._remove_void()
        remove_temporaries(self.file.parent)
        threading.Thread(target=self._sign, daemon=True, name="salix-claim").start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.ended.set()
        if _read(self.file) == self.content:
            self.file.unlink(missing_ok=True)

    def _create(self) -> bool:
        try:
            file = self.file.open("x", encoding="utf-8")
        except FileExistsError:
            return False
        try:
            with file:
                file.write(self.content)
        except OSError as error:
            self.file.unlink()
            raise named_error(error, self.file) from error
        return True

    def _remove_void(self) -> None:
        """Remove the claim of an ended process; raises `Claimed` for that of another."""
        content = _read(self.file)
        if content is None:  # it has just ended
            return
        owner = _parsed(content)
        if _is_alive(owner, self.file):
            process = f"process {owner.get('pid', '?')} on {owner.get('host', 'another host')}"
            raise Claimed(
                f"{self.file.parent} is being written by {process} since "
                f"{owner.get('since', 'a moment ago')}: wait until it ends, or stop it, and run "
                "the same command to go on",
                self.file,
                visible=is_visible(owner),
            )
        aside = temporary(self.file)
        try:
            os.replace(self.file, aside)
        except FileNotFoundError:  # another process has removed it
            return
        if _read(aside) != content:  # another process has made its own claim meanwhile
            os.replace(aside, self.file)
        else:
            aside.unlink()

    def _sign(self) -> None:
        while not self.ended.wait(SIGN_SECONDS):
            try:
                os.utime(self.file)
            except OSError:
                return


def writing_process(directory: Path) -> str | None:
    """Return the process that is writing a directory, in words; None where none is at work.

    The directory is read alone: the clocks of two hosts may differ by the time of a lapse.
    """
    file = directory / NAME
    content = _read(file)
    if content is None:
        return None
    owner = _parsed(content)
    if not is_visible(owner) and abs(time.time() - (_signed(file) or 0)) > LAPSE_SECONDS:
        return None
    if is_visible(owner) and not _is_alive(owner, file):
        return None
    return f"process {owner.get('pid', '?')} on {owner.get('host', 'another host')}"


def _read(file: Path) -> str | None:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _parsed(content: str) -> dict[str, Any]:
    try:
        owner = json.loads(content)
    except ValueError:
        return {}
    return owner if isinstance(owner, dict) else {}


def _is_alive(owner: dict[str, Any], file: Path) -> bool:
    """Whether the owner of a claim is at work, as far as this process can see."""
    if is_visible(owner):
        pid = owner.get("pid")
        return isinstance(pid, int) and is_running(pid) and started(pid) == owner.get("started")
    return abs(_age(file)) < LAPSE_SECONDS  # a sign in the future: the clock was set back


def _signed(file: Path) -> float | None:
    """Return when a claim was signed last; None where there is none."""
    try:
        return file.stat().st_mtime
    except OSError:
        return None


def _age(file: Path) -> float:
    """Return seconds since a file's last change, by the clock of its file system."""
    probe = file.with_name(f"probe.{socket.gethostname()}.{os.getpid()}.tmp")
    try:
        probe.touch()
        return probe.stat().st_mtime - file.stat().st_mtime
    except FileNotFoundError:
        return time.time()
    finally:
        probe.unlink(missing_ok=True)


def remove_temporaries(directory: Path) -> None:
    """Remove temporary files whose process has ended, or that no process names."""
    for file in directory.glob("*.tmp"):
        match = TEMPORARY.search(file.name)
        if match is None:
            is_alive = False
        elif match["host"].endswith(socket.gethostname()):
            is_alive = is_running(int(match["pid"])) and int(match["pid"]) != os.getpid()
        else:
            is_alive = _age(file) < LAPSE_SECONDS
        if not is_alive:
            file.unlink(missing_ok=True)
