"""docs/alarms.md has each alarm that the engine can raise, and no other."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def raised():
    codes = set()
    for path in (ROOT / "src/holdfast/engine").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "alarm":
                code = node.args[0]
                assert isinstance(code, ast.Constant), f"{path}:{node.lineno}: a code is a literal"
                codes.add(code.value)
    return codes


def test_each_alarm_is_explained():
    page = (ROOT / "docs/alarms.md").read_text()

    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == raised()
    assert len(raised()) > 10
