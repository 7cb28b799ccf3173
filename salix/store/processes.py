"""Processes of this host by their numbers: whether one runs, and which one it is."""

import os
import socket
from pathlib import Path
from typing import Any


def is_running(pid: int) -> bool:
    """Whether a process of this number runs, of any user."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def started(pid: int) -> str:
    """Return when a process started, as Linux counts it: a number may be used again."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return ""


def namespace() -> str:
    """Return the boot and the process namespace in which process numbers are unique."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return ""


def is_visible(owner: dict[str, Any]) -> bool:
    """Whether the numbers of the owner's processes are those of this process."""
    return owner.get("host") == socket.gethostname() and owner.get("namespace") == namespace()
