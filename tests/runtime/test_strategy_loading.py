"""A strategy is found wherever it lives; every mistake is told with its place and the way out."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from holdfast.model.errors import StrategyError
from holdfast.model.values import Side
from holdfast.runtime.strategy_loading import (
    check_strategy,
    load_strategy,
    new_strategy_source,
)
from holdfast.strategies import STRATEGIES, SmaCrossStrategy, Strategy
from tests.strategies.desk import Desk, bars_at

GOOD = """\
from __future__ import annotations

import enum
from decimal import Decimal
from typing import Literal

from holdfast.model.market import Bar
from holdfast.model.values import Side
from holdfast.strategies import Strategy


class MyEdge(Strategy):
    def __init__(
        self,
        count: int = 1,
        share: float = 0.5,
        is_bold: bool = False,
        label: str = "x",
        size: Decimal | None = None,
        mode: Literal["slow", "fast"] = "slow",
        side: Side = Side.BUY,
        ratio: "int | float" = 1,
        guess=None,
        like=2.5,
        parts: tuple[int, ...] = (),
    ):
        self.given = dict(locals())

    def on_bar(self, bar: Bar) -> None:
        self.signal("BUY", bar.symbol, 1)


class Other(Strategy):
    def __init__(self, needed: int, **more):
        self.given = {"needed": needed, **more}

    def on_quote(self, quote):
        pass


class NoStrategy:
    pass


number = 5
"""

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _clean_imports(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Work in an empty folder; leave no module and no path behind."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(tmp_path)
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        file = getattr(sys.modules[name], "__file__", None)
        if file is not None and (tmp_path / file).resolve().is_relative_to(tmp_path.resolve()):
            del sys.modules[name]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_file(source: str, name: str = "mine.py") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
        return path

    return write_file


@pytest.mark.parametrize("name", STRATEGIES)
def test_shipped_strategies_load_by_name(name):
    found, strategy = load_strategy(name)

    assert found == name
    assert type(strategy) is STRATEGIES[name]


def test_parameters_are_read_by_their_annotation():
    _, strategy = load_strategy(" sma_cross:fast=5, slow=20,timeframe=5m,allow_short=no ")

    assert isinstance(strategy, SmaCrossStrategy)
    assert (strategy.fast, strategy.slow) == (5, 20)
    assert strategy.timeframes == ("5m",)
    assert strategy.allow_short is False


@pytest.mark.parametrize("spec", ["sma_cross:", "sma_cross:timeframe=none", "sma_cross:timeframe="])
def test_nothing_given_means_the_defaults(spec):
    assert load_strategy(spec)[1].timeframes == ()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("count=7", 7),
        ("share=7", 7.0),
        ("share=1e-3", 0.001),
        ("is_bold=Yes", True),
        ("is_bold=off", False),
        ("label=7", "7"),
        ("label=a:b=c", "a:b=c"),
        ("size=0.10", Decimal("0.10")),
        ("size=none", None),
        ("mode=fast", "fast"),
        ("side=SELL", Side.SELL),
        ("ratio=2", 2),
        ("ratio=2.5", 2.5),
        ("guess=2", 2),
        ("guess=2.5", 2.5),
        ("guess=true", True),
        ("guess=word", "word"),
        ("like=2", 2.0),
    ],
)
def test_every_kind_of_parameter_can_be_written(write, text, value):
    name, strategy = load_strategy(f"{write(GOOD)}:MyEdge:{text}")

    given = strategy.given[text.partition("=")[0]]  # type: ignore[attr-defined]  # the file's own
    assert name == "my_edge"
    assert given == value
    assert type(given) is type(value)


def test_a_loaded_strategy_trades(write):
    _, strategy = load_strategy(f"{write(GOOD)}:MyEdge")

    assert Desk(strategy).run(bars_at([1.0])) == [(0, "BUY")]


def test_further_parameters_go_where_the_constructor_takes_any(write):
    _, strategy = load_strategy(f"{write(GOOD)}:Other:needed=3,more=1.5")

    assert strategy.given == {"needed": 3, "more": 1.5}  # type: ignore[attr-defined]  # the file's own


def test_a_file_with_one_strategy_needs_no_class_name(write):
    path = write(new_strategy_source("OnlyOne"))

    assert load_strategy(str(path))[0] == "only_one"
    assert load_strategy(f"{path}:period=5")[1].warmup_bars == 5
    assert load_strategy("mine.py:OnlyOne:period=6")[1].warmup_bars == 6


def test_a_file_may_import_its_neighbours(write):
    write("FACTOR = 3\n", "my_neighbour.py")
    path = write("from my_neighbour import FACTOR\n" + GOOD.partition("\n")[2], "deep.py")

    assert load_strategy(f"{path}:MyEdge")[0] == "my_edge"


def test_an_edited_file_is_read_anew(write):
    path = write(new_strategy_source("Mine"))
    load_strategy(f"{path}:Mine")
    write(path.read_text().replace("= 20", "= 21"))

    assert load_strategy(f"{path}:Mine")[1].warmup_bars == 21
    assert not list(path.parent.glob("**/*.pyc"))


def test_annotations_that_only_a_type_checker_sees_do_not_matter(write):
    path = write(
        "from __future__ import annotations\n"
        "from holdfast.strategies import Strategy\n"
        "class Mine(Strategy):\n"
        "    def __init__(self, count: Unseen, label: Unseen = 'x'):\n"
        "        self.given = (count, label)\n"
        "    def on_bar(self, bar): pass\n"
    )

    assert load_strategy(f"{path}:Mine:count=3,label=4")[1].given == (3, "4")  # type: ignore[attr-defined]  # the file's own


def test_a_file_without_a_strategy_says_so(write):
    path = write("x = 1\n")

    with pytest.raises(StrategyError, match="it has: none"):
        load_strategy(str(path))
    with pytest.raises(StrategyError, match="has no class 'Mine'; there are none"):
        load_strategy(f"{path}:Mine")


def test_a_dataclass_can_be_a_strategy(write):
    path = write(
        "from __future__ import annotations\n"
        "from dataclasses import dataclass\n"
        "from holdfast.strategies import Strategy\n"
        "@dataclass\n"
        "class Data(Strategy):\n"
        "    period: int = 5\n"
        "    def on_bar(self, bar): pass\n"
    )

    assert load_strategy(f"{path}:Data:period=9")[1].period == 9  # type: ignore[attr-defined]  # the file's own


@pytest.mark.parametrize(
    "spec", ["holdfast.strategies:RSIStrategy", "holdfast.strategies.RSIStrategy"]
)
def test_a_class_in_a_module_loads_by_its_dotted_name(spec):
    assert load_strategy(spec + ":period=5")[0] == "rsi"


def test_a_module_in_the_working_folder_is_found(write):
    write(new_strategy_source("Mine"), "here_package/inner.py")

    assert load_strategy("here_package.inner:Mine:period=4")[1].warmup_bars == 4


@pytest.fixture
def installed(write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """A package that is installed and offers strategies by entry points."""
    write(new_strategy_source("Plug"), "plugged/__init__.py")
    folder = "plugged-1.0.dist-info"
    write("Metadata-Version: 2.1\nName: plugged\nVersion: 1.0\n", f"{folder}/METADATA")
    write(
        "[holdfast.strategies]\nplug = plugged:Plug\ntorn = plugged:Gone\nodd = plugged:Bar\n",
        f"{folder}/entry_points.txt",
    )
    monkeypatch.syspath_prepend(tmp_path)
    return write


def test_an_installed_package_offers_its_strategies_by_name(installed):
    name, strategy = load_strategy("plug:period=3")

    assert name == "plug"
    assert strategy.warmup_bars == 3


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ("torn", "strategy torn of plugged:Gone can't be loaded: AttributeError"),
        ("odd", "odd of plugged:Bar is not a strategy"),
        ("plugg", "did you mean 'plug'? known: bollinger_reversion"),
    ],
)
def test_a_bad_entry_point_is_told(installed, spec, text):
    with pytest.raises(StrategyError, match=re.escape(text)):
        load_strategy(spec)


FAILURES = [
    ("smacross", "no strategy 'smacross'; did you mean 'sma_cross'? known: bollinger_reversion, "),
    ("", "no strategy ''; known: bollinger_reversion, "),
    ("mine", "no strategy 'mine'; for the file write mine.py:CLASS"),
    ("strategies/mine", "a file is written path/to/file.py:CLASS"),
    ("sma_cross:5", "sma_cross: expected name=value,name=value, was '5'"),
    ("sma_cross:fast=5,", "sma_cross: expected name=value,name=value, was ''"),
    ("sma_cross:=5", "sma_cross: expected name=value,name=value, was '=5'"),
    ("sma_cross:fsat=5", "sma_cross has no parameter 'fsat'; did you mean 'fast'? known: allow_"),
    ("sma_cross:fast=5,fast=6", "sma_cross: parameter fast is given twice"),
    ("sma_cross:fast=five", "sma_cross: fast must be a whole number, was 'five'"),
    ("sma_cross:fast=5.0", "sma_cross: fast must be a whole number, was '5.0'"),
    ("sma_cross:fast=40", "sma_cross(fast=40): fast must be less than slow, was fast=40, slow=30"),
    ("sma_cross:allow_short=maybe", "allow_short must be true or false, was 'maybe'"),
    ("sma_cross:timeframe=1x", "timeframe must be like 5s, 1m, 4h or 1d, was '1x'"),
    ("rsi:low=nan", "rsi: low must be a number, was 'nan'"),
    ("rsi:low=inf", "rsi: low must be a number, was 'inf'"),
    ("absent.py:Mine", "can't read strategy file absent.py (in "),
    ("absent.py:Mine", "No such file or directory"),
    ("mine.py", "say which class of mine.py, as in mine.py:CLASS; it has: MyEdge, Other"),
    ("mine.py:MyEgde", "mine.py has no class 'MyEgde'; did you mean 'MyEdge'? known: MyEdge, Oth"),
    ("mine.py:NoStrategy", "NoStrategy of mine.py is not a strategy: it must be a subclass"),
    ("mine.py:Strategy", "Strategy of mine.py is not a strategy: it must be a subclass"),
    ("mine.py:number", "number of mine.py is not a class, it is 5"),
    ("mine.py:Other", "other needs parameter needed: write other:needed=VALUE"),
    ("mine.py:MyEdge:mode=swift", "my_edge: mode must be slow or fast, was 'swift'"),
    ("mine.py:MyEdge:side=UP", "my_edge: side must be BUY or SELL, was 'UP'"),
    ("mine.py:MyEdge:size=big", "my_edge: size must be a number or none, was 'big'"),
    ("mine.py:MyEdge:like=x", "my_edge: like must be a number, was 'x'"),
    ("mine.py:MyEdge:parts=1", "which has no short text: set it in a subclass of your own"),
    ("nowhere:Mine", "no module 'nowhere' for strategy nowhere:Mine; is its package installed?"),
    ("holdfast.nowhere.Mine", "no module 'holdfast.nowhere' for strategy holdfast.nowhere:Mine"),
    ("holdfast.strategies:Rsi", "holdfast.strategies has no class 'Rsi'; "),
]


@pytest.mark.parametrize(("spec", "text"), FAILURES)
def test_a_mistake_in_the_spec_is_named_with_the_way_out(write, spec, text):
    write(GOOD)

    with pytest.raises(StrategyError, match=re.escape(text)):
        load_strategy(spec)


HEAD = "from holdfast.strategies import Strategy\nclass Mine(Strategy):\n"
BROKEN = [
    ("def f(:\n", "SyntaxError at mine.py:1: invalid syntax"),
    ("x = 1\n  y = 2\n", "IndentationError at mine.py:2: unexpected indent"),
    ("x = '\0'\n", "mine.py can't be loaded: SyntaxError: source code string"),
    ("import math\nimport talibb\n", "ModuleNotFoundError at mine.py:2: No module named 'talibb'"),
    ("import bad\n", "ZeroDivisionError at mine.py:1: division by zero"),
    ("import torn\n", "torn.py:1: "),
    ("def f():\n    return 1 / 0\nf()\n", "ZeroDivisionError at mine.py:2: division by zero"),
    ("import sys\nsys.exit(3)\n", "SystemExit at mine.py:2: 3"),
    (f"{HEAD}  pass\n", "mine has none of the hooks; known: on_start, on_bar, on_trade"),
    (f"{HEAD}  def on_bars(self, b): pass\n", "none of the hooks (it has on_bars); known: on_sta"),
    (f"{HEAD}  async def on_bar(self, bar): pass\n", "mine.on_bar is async: write it as a plain"),
    (f"{HEAD}  def on_bar(self, bar): yield\n", "mine.on_bar contains yield: it would never run"),
    (f"{HEAD}  def on_bar(self): pass\n", "mine.on_bar must be written as def on_bar(self, bar)"),
    (f"{HEAD}  def on_stop(self, x): pass\n", "mine.on_stop must be written as def on_stop(self)"),
    (
        f"{HEAD}  timeframes = '1m'\n  def on_bar(self, bar): pass\n",
        "mine.timeframes must be a tuple like ('1m',), was '1m'",
    ),
    (
        f"{HEAD}  timeframes = ('1m', '7y')\n  def on_bar(self, bar): pass\n",
        "mine.timeframes: timeframe must be like 5s, 1m, 4h or 1d, was '7y'",
    ),
    (
        f"{HEAD}  warmup_bars = -1\n  def on_bar(self, bar): pass\n",
        "mine.warmup_bars must be a whole number >= 0, was -1",
    ),
    (
        f"{HEAD}  def __init__(self):\n    self.signal('BUY', 'BTCUSDT')\n",
        "mine(): Mine.signal was used before a runner bound the strategy: use it in hooks",
    ),
    (
        f"{HEAD}  def __init__(self):\n    self.x = {{}}['a']\n",
        "mine(): KeyError at mine.py:4: 'a'",
    ),
    (
        f"{HEAD}  def __init__(self):\n    raise SystemExit(0)\n",
        "mine(): SystemExit at mine.py:4: 0",
    ),
]


@pytest.mark.parametrize(("source", "text"), BROKEN)
def test_a_mistake_in_the_file_is_told_with_its_line(write, source, text):
    write("1 / 0\n", "bad.py")
    write("def f(:\n", "torn.py")
    write(source)

    with pytest.raises(StrategyError, match=re.escape(text)):
        load_strategy("mine.py:Mine")


def test_a_mistake_in_a_module_is_told_with_its_line(write):
    write("import math\n1 / 0\n", "at_fault.py")
    write("import talibb\n", "at_loss.py")

    with pytest.raises(StrategyError, match=r"at_fault can't be imported: ZeroDiv.*at_fault.py:2"):
        load_strategy("at_fault:Mine")
    with pytest.raises(StrategyError, match=r"at_loss can't .*at_loss.py:1: No module .*talibb"):
        load_strategy("at_loss:Mine")


def test_a_file_that_failed_leaves_no_module_behind(write):
    write("1 / 0\n")
    before = set(sys.modules)

    with pytest.raises(StrategyError):
        load_strategy("mine.py:Mine")

    assert set(sys.modules) == before


def test_shipped_strategies_pass_the_check_for_strategies_made_by_hand():
    for name, make in STRATEGIES.items():
        check_strategy(make(), name)


def test_a_strategy_that_keeps_a_number_as_its_signal_is_refused():
    strategy = SmaCrossStrategy()
    vars(strategy)["signal"] = 9

    with pytest.raises(StrategyError, match=r"signal is 9, .* such as signal_period"):
        check_strategy(strategy, "macd")


def test_the_template_is_a_strategy_that_trades(write):
    path = write(new_strategy_source("MyBreakout"))
    name, strategy = load_strategy(f"{path}:MyBreakout:period=3")
    desk = Desk(strategy)

    desk.run(bars_at([10.0, 10.0, 10.0, 12.0, 13.0, 9.0, 8.0]))

    assert name == "my_breakout"
    assert desk.heard == [(3, "BUY"), (5, "CLOSE")]
    assert desk.signals[0].stop_loss == Decimal("11.76")


@pytest.mark.parametrize("name", ["", "2nd", "my-edge", "class", "Strategy", "SMA", "Bar", "a b"])
def test_a_class_that_can_not_be_named_so_is_refused(name):
    with pytest.raises(StrategyError, match="needs a name like MyBreakout"):
        new_strategy_source(name)


def test_the_base_class_is_no_strategy():
    with pytest.raises(StrategyError, match="none of the hooks"):
        check_strategy(Strategy(), "bare")
