"""The command line: parse, call, print. Every command's `--help` ends with an example."""

import os
import sys
from collections.abc import Sequence
from typing import Any

import tyro

from salix import runtime
from salix.cli.bench import Bench
from salix.cli.convert import Convert
from salix.cli.demo import Demo
from salix.cli.report import Report
from salix.cli.sweep import Sweep
from salix.cli.train import Train
from salix.typing import InputError

COMMANDS = {
    "demo": Demo,
    "train": Train,
    "sweep": Sweep,
    "report": Report,
    "convert": Convert,
    "bench": Bench,
}
COMPUTE = (Demo, Train, Sweep, Bench)
ABOUT = """What image models look at, over whole datasets.

demo, train, sweep and bench keep freed memory for the next batch, and all but bench keep compiled
programs for the next command, in SALIX_CACHE (~/.cache/salix). In the environment
SALIX_KEEP_MEMORY=0 gives memory back, JAX_ENABLE_COMPILATION_CACHE=false keeps no program."""


def prepare(programs: bool) -> None:
    """Set up the process for a command that computes, before JAX has a device.

    `programs` are kept unless their compilation is what is timed.
    """
    if os.environ.get("SALIX_KEEP_MEMORY") != "0":
        runtime.keep_memory()
    if programs:
        runtime.cache_programs()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `salix`: returns 0, or 2 after one line that says what to do about bad input."""
    command: Any = tyro.extras.subcommand_cli_from_dict(
        COMMANDS,
        args=arguments,
        prog="salix",
        description=ABOUT,
    )
    if isinstance(command, COMPUTE):
        prepare(programs=not isinstance(command, Bench))
    try:
        return command.run()
    except InputError as error:
        print(f"salix: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("salix: stopped; finished rows are kept, the same command goes on", file=sys.stderr)
        return 130
