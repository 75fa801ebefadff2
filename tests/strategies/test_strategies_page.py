"""The strategies of docs/strategies.md and README.md are taken as they stand there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast.indicators import INDICATORS
from holdfast.runtime.strategy_loading import load_strategy
from holdfast.strategies import STRATEGIES
from holdfast.strategies.context import Context

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/strategies.md")


def _examples():
    for page in PAGES:
        for code in re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), re.DOTALL):
            for name in re.findall(r"^class (\w+)\(Strategy\)", code, re.MULTILINE):
                yield pytest.param(code, name, id=name)


@pytest.mark.parametrize(("code", "name"), list(_examples()))
def test_an_example_is_a_strategy(tmp_path, code, name):
    (tmp_path / "mine.py").write_text(code)

    assert load_strategy(f"{tmp_path / 'mine.py'}:{name}")


def test_the_page_names_each_indicator_and_each_strategy_that_comes_along():
    page = (ROOT / "docs/strategies.md").read_text()
    names = {*STRATEGIES, *(kind.__name__ for kind in INDICATORS.values())}

    assert {name for name in names if f"`{name}`" not in page} == set()


def test_all_that_the_context_offers_is_on_the_page():
    page = (ROOT / "docs/strategies.md").read_text()
    offered = {name for name in vars(Context) if not name.startswith("_")}

    assert len(offered) > 5
    assert {name for name in offered if f"`{name}" not in page} == set()
