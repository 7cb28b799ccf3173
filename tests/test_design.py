"""Conventions of the code: names, docstrings, options and dataclasses, checked from the source."""

import ast
import functools
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted((ROOT / "models").rglob("*.py")) + sorted(
    p for p in (ROOT / "salix").rglob("*.py") if "models" not in p.relative_to(ROOT).parts
)
BANNED = {"told", "found", "held", "seen", "given", "whole", "kept"}  # as parts of names
FOREIGN = {"raise_if_not_found"}  # keywords of other libraries
RIDDLE = re.compile(
    r"^(What|How|Who|Whose|Where|Which|Why)\b|\b(of which|whatever|whoever|who takes)\b"
)
MUTABLE = {"dict", "list", "set", "bytearray", "defaultdict", "deque"}


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


parse = functools.cache(ast.parse)


def offenders(check: Callable[[str], list[str]]) -> dict[str, list[str]]:
    """Return the offenders of each file that has any. One test for each file takes twenty times."""
    return {name(path): some for path in FILES if (some := check(path.read_text()))}


def types(tree: ast.Module) -> Iterator[str]:
    """Yield the names of the classes and type aliases of a module."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Assign):
            target = ast.unparse(node.targets[0])
            if re.fullmatch(r"_?[A-Z]\w*[a-z]\w*", target):
                yield target


def repeated_types(sources: list[str]) -> list[str]:
    count = Counter(t for source in sources for t in set(types(parse(source))))
    return sorted(t for t, n in count.items() if n > 1)


def test_no_two_types_have_one_name():
    assert repeated_types([p.read_text() for p in FILES]) == []


def shadows(source: str, package: str, modules: set[str]) -> list[str]:
    """Return the imported names that replace a module of the package as its attribute."""
    nodes = [n for n in parse(source).body if isinstance(n, ast.ImportFrom)]
    names = {a.asname or a.name for n in nodes if n.module != package for a in n.names}
    return sorted(names & modules)


@pytest.mark.parametrize("path", [p for p in FILES if p.name == "__init__.py"], ids=name)
def test_no_export_shadows_a_module(path):
    folder = path.parent
    modules = {p.stem for p in folder.glob("*.py")} | {p.parent.name for p in folder.glob("*/*.py")}
    package = ".".join(folder.relative_to(ROOT).parts).replace("models", "salix.models")
    assert shadows(path.read_text(), package, modules) == []


def bound(tree: ast.AST) -> Iterator[str]:
    """Yield the names that a module binds: functions, parameters, variables and fields."""
    for node in ast.walk(tree):
        match node:
            case ast.FunctionDef(name=text) | ast.ClassDef(name=text):
                yield text
            case ast.arg(arg=text) | ast.Name(id=text, ctx=ast.Store()):
                yield text
            case ast.MatchAs(name=str(text)) | ast.keyword(arg=str(text)) if text not in FOREIGN:
                yield text


def banned_names(source: str) -> list[str]:
    return sorted({n for n in bound(parse(source)) if BANNED & set(n.lower().split("_"))})


def test_names_are_nouns_and_verbs_of_the_field():
    assert offenders(banned_names) == {}


def documented(tree: ast.Module) -> Iterator[tuple[str, str | None]]:
    """Yield each public module, class, function and method with its docstring.

    Methods whose contract is a protocol's or Python's need none: `__call__` and other dunders.
    """
    yield "module", ast.get_docstring(tree)
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node.name, ast.get_docstring(node)
            for member in node.body if isinstance(node, ast.ClassDef) else ():
                if isinstance(member, ast.FunctionDef) and not member.name.startswith("_"):
                    yield f"{node.name}.{member.name}", ast.get_docstring(member)


def undocumented(source: str) -> list[str]:
    return [n for n, text in documented(parse(source)) if not text]


def test_what_is_public_has_a_docstring():
    assert offenders(undocumented) == {}


def docstrings(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            yield ast.get_docstring(node) or ""


def riddles(source: str) -> list[str]:
    firsts = [text.split("\n")[0] for text in docstrings(parse(source))]
    return [line for line in firsts if RIDDLE.search(line)]


def test_first_lines_of_docstrings_name_the_thing():
    assert offenders(riddles) == {}


def mutable_fields(source: str) -> list[str]:
    """Return the fields of frozen dataclasses that are annotated as mutable containers."""
    fields = []
    for node in ast.walk(parse(source)):
        if isinstance(node, ast.ClassDef) and any(
            "frozen=True" in ast.unparse(d) for d in node.decorator_list
        ):
            for field in (f for f in node.body if isinstance(f, ast.AnnAssign)):
                if MUTABLE & set(re.findall(r"\w+", ast.unparse(field.annotation))):
                    fields.append(f"{node.name}.{ast.unparse(field.target)}")
    return fields


def test_frozen_dataclasses_hold_no_mutable_container():
    assert offenders(mutable_fields) == {}


def positional_options(source: str, public: set[str]) -> list[str]:
    """Return the parameters of public functions that have a default and may be positional."""
    options = []
    for node in parse(source).body:
        if isinstance(node, ast.FunctionDef) and node.name in public:
            arguments = node.args.posonlyargs + node.args.args
            with_default = arguments[len(arguments) - len(node.args.defaults) :]
            options += [f"{node.name}({a.arg}=)" for a in with_default]
    return options


def exported(path: Path) -> set[str]:
    """Return the `__all__` of the packages above a module."""
    names: set[str] = set()
    for folder in (path.parent, ROOT / "salix"):
        init = folder / "__init__.py"
        for node in parse(init.read_text()).body if init.exists() else ():
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                names |= set(ast.literal_eval(node.value))
    return names


# Arguments of a contract, which callers pass by position though they may be left out.
CONTRACT = {
    "build(seed=)", "explain(attribution=)", "from_function(params=)",
    "image_explainer(attribution=)", "load(weights=)", "pool(how=)",
    "sweep(attribution=)", "sweep(measures=)",
}  # fmt: skip


def test_options_of_public_functions_are_keyword_only():
    options = {
        name(path): set(positional_options(path.read_text(), exported(path))) - CONTRACT
        for path in FILES
    }
    assert {path: some for path, some in options.items() if some} == {}


@pytest.mark.parametrize(
    ("check", "source", "expected"),
    [
        (banned_names, "def f(found): pass", ["found"]),
        (banned_names, "for held_maps in x: pass", ["held_maps"]),
        (banned_names, "def f(maps): return maps", []),
        (mutable_fields, "@dataclass(frozen=True)\nclass A:\n    x: dict[str, int]", ["A.x"]),
        (mutable_fields, "@dataclass(frozen=True)\nclass A:\n    x: Mapping[str, int]", []),
        (mutable_fields, "@dataclass\nclass A:\n    x: list[int]", []),
        (lambda s: repeated_types([s, s]), "class A: pass\nKind = int\nB = 1\n", ["A", "Kind"]),
        (lambda s: shadows(s, "salix", {"a"}), "from salix.a import a, b", ["a"]),
        (lambda s: shadows(s, "salix", {"a"}), "from salix import a", []),
        (lambda s: positional_options(s, {"f"}), "def f(a, b=1, *, c=2): pass", ["f(b=)"]),
        (lambda s: positional_options(s, {"f"}), "def g(a, b=1): pass", []),
        (undocumented, '"""A."""\ndef f(): pass\ndef _g(): pass', ["f"]),
        (riddles, '"""What it does.\n\nWhat."""\ndef f(): "A thing."', ["What it does."]),
    ],
)
def test_the_checks_see_what_they_look_for(check, source, expected):
    assert check(source) == expected


@pytest.mark.parametrize(
    ("line", "is_riddle"),
    [
        ("What one run shows of a collection of images.", True),
        ("Whose column of a row is whose.", True),
        ("Rows, the last of which is empty.", True),
        ("Percentile and BCa bootstrap intervals.", False),
        ("Whether every image has its row.", False),
    ],
)
def test_riddles_and_titles_are_distinguished(line, is_riddle):
    assert bool(RIDDLE.search(line)) == is_riddle
