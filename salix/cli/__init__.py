"""Command line: option parsing, calls of the library and printed results."""

import contextlib
import errno
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import tyro

from salix import runtime
from salix.cli.audit import AuditImages
from salix.cli.bench import Bench
from salix.cli.compare import CompareModels
from salix.cli.convert import Convert
from salix.cli.demo import Demo
from salix.cli.explain import ExplainImages
from salix.cli.faces import DetectFaces
from salix.cli.figure import DrawFigure
from salix.cli.inspect import InspectWeights
from salix.cli.methods import ListMethods
from salix.cli.metrics import ListMetrics
from salix.cli.models import ListModels
from salix.cli.pack import Pack
from salix.cli.report import Report
from salix.cli.runs import Runs
from salix.cli.similar import ExplainSimilarity
from salix.cli.study import Study
from salix.cli.sweep import Sweep
from salix.cli.train import Train
from salix.data.notes import printable
from salix.interrupts import signals_as_exceptions
from salix.typing import InputError

COMMANDS = {
    "demo": Demo,
    "explain": ExplainImages,
    "train": Train,
    "faces": DetectFaces,
    "pack": Pack,
    "sweep": Sweep,
    "report": Report,
    "runs": Runs,
    "figure": DrawFigure,
    "audit": AuditImages,
    "study": Study,
    "similar": ExplainSimilarity,
    "compare": CompareModels,
    "inspect": InspectWeights,
    "convert": Convert,
    "bench": Bench,
    "methods": ListMethods,
    "metrics": ListMetrics,
    "models": ListModels,
}
DEVICE_COMMANDS = (Demo, ExplainImages, Train, Sweep, AuditImages, Study, ExplainSimilarity, Bench)
ABOUT = """Salience maps of image models over whole data sets, and reports that compare models.

Environment: SALIX_CACHE is the folder of downloads and compiled programs (~/.cache/salix);
JAX_ENABLE_COMPILATION_CACHE=false turns the cache of compiled programs off (bench never uses it);
SALIX_KEEP_MEMORY=0 returns freed memory to the system instead of keeping it for the next batch.

Exit status: 0 done; 1 nothing could be read, or an error of the system, such as a full disk; 2
unusable input; 143 after SIGTERM and 130 after SIGINT (Ctrl-C): resumable, what was on the device
is finished and written, run the same command to go on (a second signal ends at once); 141 where
the reader of the output has ended."""
FULL = (errno.ENOSPC, errno.EDQUOT)


def configure_process(*, cache_programs: bool) -> None:
    """Set the allocator and the compilation cache of this process, before JAX has a device."""
    if os.environ.get("SALIX_KEEP_MEMORY") != "0":
        runtime.keep_memory()
    if cache_programs:
        runtime.cache_programs()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `salix` and return its exit status, see `ABOUT`; errors are one line on stderr."""
    try:
        status = _run(arguments)
    except Exception:
        if not runtime.is_one_of_several():
            raise
        traceback.print_exc()
        status = 1
    if status:
        runtime.end_process(status)
    return status


def _run(arguments: Sequence[str] | None) -> int:
    """Run `salix` and return its exit status; errors that users can mend are printed."""
    try:
        with signals_as_exceptions():
            _check_repeats(sys.argv[1:] if arguments is None else arguments)
            command: Any = tyro.extras.subcommand_cli_from_dict(
                COMMANDS,
                args=arguments,
                prog="salix",
                description=ABOUT,
            )
            if isinstance(command, DEVICE_COMMANDS):
                configure_process(cache_programs=not isinstance(command, Bench))
            status = command.run()
            sys.stdout.flush()
            return status
    except InputError as error:
        _print("salix: " + "\n".join(map(printable, str(error).split("\n"))))
        return 2
    except KeyboardInterrupt as error:
        _print("salix: interrupted; finished work is kept: run the same command to go on")
        return getattr(error, "status", 130)
    except BrokenPipeError:  # its reader has ended, as `head` does
        for stream in (sys.stdout, sys.stderr):
            _silence(stream)
        return 141
    except OSError as error:
        _print(f"salix: {printable(_system_error(error))}")
        return 1


def _check_repeats(arguments: Sequence[str]) -> None:
    """Raise `InputError` for an option given twice: the last alone would count."""
    options = [a.split("=")[0].replace("_", "-") for a in arguments if a.startswith("--")]
    if repeated := next((o for o in options if options.count(o) > 1), None):
        raise InputError(f"{repeated} is given several times: write its values after one of it")


def _print(line: str) -> None:
    with contextlib.suppress(OSError):
        print(line, file=sys.stderr)


def _silence(stream: Any) -> None:
    """Send the rest of a stream, which Python writes when it ends, nowhere."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _system_error(error: OSError) -> str:
    """Return one line on an error of the system, with how to go on."""
    number = error.errno
    text = (str(error).splitlines() or [type(error).__name__])[0]
    if number is None:  # of a library that gives its text alone
        names = {e: os.strerror(e) for e in FULL}
        number = next((e for e, words in names.items() if words in text), None)
    elif error.filename is not None:
        text = f"{error.filename}: {os.strerror(number)}"
    if number in FULL:
        return f"{text}; finished work is kept: make room, and run the same command to go on"
    if number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{text}; give permission to it, or name another place, for example with --out"
    return text
