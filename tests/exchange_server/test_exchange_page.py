"""docs/exchange.md says what there is: every fault, every option, every door for admins."""

from __future__ import annotations

import re
from pathlib import Path

import typer
from typer.main import get_command

from holdfast.cli.exchange import exchange
from holdfast.exchange_server.app import ADMIN
from holdfast.exchange_server.faults import Kind, load_script, rule_of

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "exchange.md").read_text("utf-8")


def rows(heading):
    """Return what the first column of a part's tables names."""
    part = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (`.+?`) \|", part, re.MULTILINE)
    return [name for cell in cells for name in re.findall(r"`([^`]+)`", cell)]


def test_every_fault_has_its_row():
    assert rows("Faults") == [kind.value for kind in Kind]


def test_every_option_has_its_row():
    app = typer.Typer(add_completion=False)
    app.command()(exchange)
    options = {name for each in get_command(app).params for name in each.opts}

    assert set(rows("Start")) == options - {"--help"}


def test_every_admin_request_has_its_row():
    assert rows("Admin") == [f"{verb} {path}" for verb, path in ADMIN]


def test_the_faults_shown_can_be_given(tmp_path):
    (script,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "faults.toml"
    path.write_text(script)
    flags = re.findall(r"--fault '([^']+)'", PAGE)

    assert [rule.kind for rule in load_script(path).faults] == [
        Kind.TIMEOUT_AFTER,
        Kind.DELAY_FRAME,
    ]
    assert [rule_of(flag).kind for flag in flags] == [Kind.UNKNOWN_EXECUTED, Kind.DROP_FRAME]
