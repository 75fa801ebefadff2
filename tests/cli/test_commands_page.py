"""docs/commands.md names every command and exit code, and, with the other pages, every option."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest
import typer
from typer.main import get_command

from holdfast.cli.commands import all_commands
from holdfast.cli.exit_codes import ExitCode

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/commands.md").read_text()
PAGES = "\n".join(path.read_text() for path in [ROOT / "README.md", *ROOT.glob("docs/*.md")])


def functions():
    for name, command in all_commands().items():
        module, _, attribute = command.place.partition(":")
        found = getattr(import_module(f"holdfast.cli.{module}"), attribute)
        if isinstance(found, dict):
            yield from ((f"{name} {inner}", function) for inner, function in found.items())
        else:
            yield name, found


COMMANDS = dict(functions())


@pytest.mark.parametrize("name", list(COMMANDS))
def test_a_command_is_on_the_page(name):
    assert re.search(rf"`(holdfast )?{name}[ `]", PAGE)


@pytest.mark.parametrize("name", list(COMMANDS))
def test_its_options_are_told_of(name):
    app = typer.Typer(add_completion=False)
    app.command()(COMMANDS[name])
    parameters = get_command(app).params
    options = {each for one in parameters for each in (*one.opts, *one.secondary_opts)}
    options -= {"--help"}

    named = {each for each in options if re.search(rf"(?<![\w-]){each}(?![\w-])", PAGES)}
    assert {each for each in options - named if each.startswith("--")} == set()


def test_each_exit_code_has_its_row():
    rows = [int(code) for code in re.findall(r"^\| (\d+) \|", PAGE, re.MULTILINE)]

    assert rows == [code.value for code in ExitCode]
