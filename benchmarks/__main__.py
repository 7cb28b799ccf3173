"""Benchmarks of Salix: python benchmarks [NAME [OPTION …]].

Without a name, or with --help alone, all are listed; `python benchmarks NAME --help` has the
options of one. Results are in `benchmarks/results`, with the machine that measured them.
"""

import ast
import runpy
import sys
from difflib import get_close_matches
from pathlib import Path

HERE = Path(__file__).parent
PARTS = ("scale_parts",)  # scripts that others start


def benchmarks() -> dict[str, str]:
    """Return the first line of each benchmark by its name; modules are left out."""
    lines = {}
    for path in sorted(HERE.glob("[a-z]*.py")):
        text = path.read_text()
        if 'if __name__ == "__main__":' in text and path.stem not in PARTS:
            documentation = ast.get_docstring(ast.parse(text)) or ""
            lines[path.stem] = documentation.partition("\n")[0].partition(": python ")[0]
    return lines


def main(arguments: list[str]) -> int:
    """Start the benchmark of the first argument with the others; returns the exit status."""
    lines = benchmarks()
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, lines))
        print((__doc__ or "").strip(), end="\n\n")
        print(*(f"  {name:{width}}  {line}" for name, line in lines.items()), sep="\n")
        return 0
    name, *options = arguments
    if name not in lines:
        close = get_close_matches(name, lines, n=3) or lines
        print(f"no benchmark {name!r}: give {', '.join(close)}", file=sys.stderr)
        return 2
    sys.argv = [f"benchmarks {name}", *options]
    runpy.run_path(str(HERE / f"{name}.py"), run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
