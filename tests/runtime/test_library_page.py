"""docs/library.md has every topic and every error, and its program runs."""

from __future__ import annotations

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


def test_each_topic_has_its_row():
    views = {"order.changed", "position.changed", "portfolio.changed"}
    updates = {"order_update", "position_update"}
    told = {*publishing.TOPICS.values(), *handover.TOPICS.values(), *views, *updates}

    rows = re.findall(r"^\| (`[a-z_]+[._].+?) \|", PAGE, re.MULTILINE)
    assert {topic for row in rows for topic in re.findall(r"`(.+?)`", row)} == told


def test_each_error_has_its_row():
    names = {name for name in holdfast.__all__ if _is_error(getattr(holdfast, name))}

    rows = re.findall(r"^\| (`[A-Z].+?) \|", PAGE, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == names


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
