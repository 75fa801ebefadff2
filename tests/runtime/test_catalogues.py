"""What is listed anywhere is there: alarms, routes and their commands, rules, exit codes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from holdfast import LiveTradingService
from holdfast.cli.exit_codes import CODES, ExitCode, code_of
from holdfast.cli.happenings import Happenings, TellingNotifier
from holdfast.engine.risk import ALL_RULES
from holdfast.model import errors
from holdfast.model import events as ev
from holdfast.model.commands import Notify
from holdfast.model.config import TradingConfig
from holdfast.model.errors import ConfigError
from holdfast.runtime.assembly import INDISPENSABLE, check_disabled_rules
from holdfast.runtime.control_routes import ROUTES
from holdfast.runtime.notices import LogNotifier
from tests.engine.rig import Rig
from tests.runtime.session_desk import running

ROOT = Path(__file__).parents[2]
NO_COMMAND = {("GET", "/v1/orders/{id}"): "holdfast orders and trace show each order"}
PYTHON = {
    ("GET", "/v1/status"): "session",
    ("GET", "/v1/orders"): "get_orders",
    ("GET", "/v1/orders/{id}"): "get_order",
    ("GET", "/v1/positions"): "get_positions",
    ("GET", "/v1/stats"): "get_session_stats",
    ("GET", "/v1/metrics"): "get_metrics",
    ("POST", "/v1/orders"): "place_order",
    ("POST", "/v1/orders/{id}/cancel"): "cancel_order",
    ("POST", "/v1/orders/{id}/modify"): "modify_order",
    ("POST", "/v1/positions/{symbol}/close"): "close_position",
    ("POST", "/v1/adjust"): "adjust_position",
    ("POST", "/v1/pause"): "pause",
    ("POST", "/v1/resume"): "resume",
    ("POST", "/v1/stop"): "stop",
    ("POST", "/v1/kill"): "kill",
    ("POST", "/v1/release"): "release",
    ("POST", "/v1/explain"): "explain",
}


def asked_by_commands():
    """Return the routes that the commands ask, as their sources name them."""
    found = set()
    for path in (ROOT / "src/holdfast/cli").glob("*.py"):
        text = path.read_text()
        for quoted in re.findall(r'f?"(/v1/(?:[^"{]|\{[^}]*\})*)"', text):
            plain = re.sub(r"\{'\?all=1'[^}]*\}", "", quoted)
            name = "{symbol}" if plain.startswith("/v1/positions/") else "{id}"
            found.add(re.sub(r"\{[^}]*\}", name, plain).partition("?")[0])
    return found


def test_each_route_has_its_command_and_its_python_call():
    paths = {path for place, path in ROUTES if (place, path) not in NO_COMMAND}

    assert asked_by_commands() == paths
    assert set(PYTHON) == set(ROUTES)
    assert all(callable(getattr(LiveTradingService, name)) for name in PYTHON.values())


def test_each_rule_can_be_switched_off_by_its_name_or_says_that_it_can_not():
    for name in ALL_RULES:
        config = TradingConfig(disabled=[name])
        if name in INDISPENSABLE:
            with pytest.raises(ConfigError, match=f"{name} can't be switched off"):
                check_disabled_rules(config)
        else:
            check_disabled_rules(config)
            assert config.risk_limits().disabled == (name,)
    with pytest.raises(ConfigError, match="there is no rule nonsense"):
        check_disabled_rules(TradingConfig(disabled=["leverage", "nonsense"]))


def test_each_kind_of_error_has_its_exit_code_and_each_code_is_given():
    given = {code_of(kind("x")) for kind, _ in CODES}
    cli = "".join(path.read_text() for path in (ROOT / "src/holdfast/cli").glob("*.py"))
    beside = {code for code in ExitCode if f"ExitCode.{code.name}" in cli}

    assert {*given, *beside} == set(ExitCode)
    assert code_of(RuntimeError("x")) is ExitCode.UNEXPECTED
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, errors.TradingError):
            family = kind.__mro__
            assert kind in (errors.TradingError, errors.IllegalTransition) or any(
                known in family for known, _ in CODES
            ), kind


def test_an_alarm_is_a_fact_and_is_told_to_a_person():
    rig = Rig()
    rig.engine.core.begin(rig.now)
    rig.engine.core.alarm("books_differ", "by 1")

    assert [type(fact) for fact in rig.engine.core.facts] == [ev.AlarmRaised]
    assert rig.engine.core.commands == [Notify(level="alarm", text="books_differ: by 1")]


async def test_each_notifier_there_is_tells_of_an_alarm(tmp_path, caplog):
    happenings = Happenings()
    for notifier in (LogNotifier(), TellingNotifier(happenings)):
        caplog.clear()
        config = TradingConfig(dry_run=True, data_dir=tmp_path, speed=0.0)
        service = LiveTradingService(config=config, notifier=notifier)
        async with running(tmp_path, service=service) as desk:
            core = desk.service.live.engine.core
            core.begin(desk.feed.now)
            core.alarm("books_differ", "by 1")
            for command in core.commands:
                desk.service.live.shell._carry_out(command)
        told = [(r.levelname, r.message) for r in caplog.records if "books_differ" in r.message]
        assert told == [("ERROR", "books_differ: by 1")]
    alarms = [line.text for line in happenings.lines if line.kind == "ALARM"]
    assert alarms == ["books_differ: by 1"]
