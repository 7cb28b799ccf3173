"""Command line: option parsing, calls of the library and printed results."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from salix import runtime
from salix.cli.bench import Bench
from salix.cli.convert import Convert
from salix.cli.demo import Demo
from salix.cli.explain import ExplainImages
from salix.cli.report import Report
from salix.cli.sweep import Sweep
from salix.cli.train import Train
from salix.data.notes import printable
from salix.typing import InputError

COMMANDS = {
    "demo": Demo,
    "explain": ExplainImages,
    "train": Train,
    "sweep": Sweep,
    "report": Report,
    "convert": Convert,
    "bench": Bench,
}
DEVICE_COMMANDS = (Demo, ExplainImages, Train, Sweep, Bench)
ABOUT = """Salience maps of image models over whole data sets, and reports that compare models.

Environment: SALIX_CACHE is the folder of downloads and compiled programs (~/.cache/salix);
JAX_ENABLE_COMPILATION_CACHE=false turns the cache of compiled programs off (bench never uses it);
SALIX_KEEP_MEMORY=0 returns freed memory to the system instead of keeping it for the next batch."""


def configure_process(*, cache_programs: bool) -> None:
    """Set the allocator and the compilation cache of this process, before JAX has a device."""
    if os.environ.get("SALIX_KEEP_MEMORY") != "0":
        runtime.keep_memory()
    if cache_programs:
        runtime.cache_programs()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `salix`; returns 0, 1 where nothing could be read, 2 after an error for bad input."""
    command: Any = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        args=arguments,
        prog="salix",
        description=ABOUT,
    )
    if isinstance(command, DEVICE_COMMANDS):
        configure_process(cache_programs=not isinstance(command, Bench))
    try:
        return command.run()
    except InputError as error:
        lines = map(printable, str(error).split("\n"))
        print("salix:", "\n".join(lines), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(
            "salix: interrupted; run the same command again to resume from the finished rows",
            file=sys.stderr,
        )
        return 130
