"""The README's claims that a doctest cannot hold: its commands, links and pictures."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text()


def test_links_and_pictures_exist():
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    assert len(links) >= 2
    for link in links:
        assert (ROOT / link).exists(), link


def test_the_gate_runs_the_readmes_commands():
    gate = (ROOT / ".ci" / "run").read_text()
    for command in ("pip install '.[test]'", "pytest", "salix demo"):
        assert command in TEXT
        assert command in gate


@pytest.mark.parametrize("line", re.findall(r"^salix .*$", TEXT, re.M))
def test_each_command_line_is_understood(line, monkeypatch):
    from salix import cli

    ran = []
    for command in cli.COMMANDS.values():
        monkeypatch.setattr(command, "run", lambda self: ran.append(self) or 0)
    assert cli.main(line.split()[1:]) == 0
    assert type(ran[0]).__name__.lower() == line.split()[1]
