"""docs/library.md has every topic, error and public name, and its program runs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

import holdfast
from holdfast.model.errors import TradingError
from holdfast.runtime import handover, publishing

PAGE = (Path(__file__).parents[2] / "docs/library.md").read_text()


def rows(heading):
    """Return what the first column of a part's table names."""
    part = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    cells = re.findall(r"^\| (`.+?`) \|", part, re.MULTILINE)
    return {name for cell in cells for name in re.findall(r"`(.+?)`", cell)}


def test_each_topic_has_its_row():
    views = {"order.changed", "position.changed", "portfolio.changed"}
    updates = {"order_update", "position_update"}
    told = {
        *publishing.TOPICS.values(),
        *handover.TOPICS.values(),
        *views,
        *updates,
        publishing.RECOGNIZED,
    }

    assert rows("What it tells") == told


def test_each_error_has_its_row():
    names = {name for name in holdfast.__all__ if _is_error(getattr(holdfast, name))}

    assert rows("What it raises") == names


def test_each_public_name_is_on_the_page():
    named = set(re.findall(r"\w+", PAGE))

    assert {name for name in holdfast.__all__ if name not in named} == set()


def _is_error(found):
    return isinstance(found, type) and issubclass(found, TradingError)


@pytest.mark.slow
def test_the_program_runs(tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "position_size" in done.stdout
    for side in ("BUY", "SELL"):
        fills = re.findall(rf"^{side} ([\d.]+) ", done.stdout, re.MULTILINE)
        assert sum(map(Decimal, fills)) == Decimal("0.01"), done.stdout


@pytest.mark.slow
def test_the_readmes_program_runs_twice(tmp_path):
    """What the first one opened must not be in the second one's way."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    part = readme.split("## As a library", 1)[1]
    (code,) = re.findall(r"```python\n(.*?)```", part.split("\n## ", 1)[0], re.DOTALL)
    lines = "".join(f"    {line}\n" for line in code.splitlines())
    program = f"import asyncio\nasync def main():\n{lines}\nasyncio.run(main())"

    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", program],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr


def test_the_page_tells_coroutines_from_plain_methods():
    service = holdfast.LiveTradingService
    methods = {name: found for name, found in vars(service).items() if name[0] != "_"}
    plain = {
        name
        for name, found in methods.items()
        if inspect.isfunction(found) and not inspect.iscoroutinefunction(found)
    }
    (said,) = re.findall(
        r"all methods of `LiveTradingService` but (.*?), which\s+are plain", PAGE, re.DOTALL
    )
    assert set(re.findall(r"`(\w+)`", said)) == plain
