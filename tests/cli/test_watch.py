"""What a watcher shows of its looks, and of those that came to nothing."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from holdfast.cli import main
from holdfast.cli.exit_codes import ExitCode
from holdfast.cli.watch import _look_on, _Shown
from holdfast.model.errors import NetworkError
from holdfast.runtime.watch import Look
from holdfast.runtime.watch_sights import Sight

LOOK = Look(
    ts=1,
    sequence=7,
    epoch=1,
    status="RUNNING",
    owner="process 1",
    facts_age_s=0.0,
    positions=0,
    open_orders=0,
    balances={},
    is_compared=True,
    sights=[],
    alarms=[],
)
LOST = NetworkError("no route")


def test_a_look_that_failed_leaves_no_older_one_on_the_terminal(capsys, monkeypatch):
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    shown = _Shown(as_json=False)
    shown.show(LOOK)
    asyncio.run(shown.wait(0.01))
    before = capsys.readouterr().out

    shown.fail(LOST, [])
    asyncio.run(shown.wait(0.01))

    assert "the books agree" in before
    out, err = capsys.readouterr()
    assert "no route" in err
    assert "the books agree" not in out


def test_a_look_that_failed_tells_programs_the_alarms_that_stand(capsys):
    shown = _Shown(as_json=True)
    shown.fail(LOST, [])
    shown.fail(LOST, [Sight(kind="blind", what="venue", gap="", told="no route")])

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["is_ok"], first["alarms"]) == (None, [])
    assert (second["is_ok"], second["alarms"][0]["kind"]) == (False, "blind")


async def test_a_look_that_is_interrupted_has_not_found_all_well():
    class Undecided:
        alarms: tuple[Sight, ...] = ()

        async def look(self):
            await asyncio.sleep(60)

        async def close(self):
            pass

    watching: Any = Undecided()
    looking = asyncio.create_task(_look_on(watching, 5.0, is_once=True, as_json=True))
    await asyncio.sleep(0)
    looking.cancel()

    assert await looking == ExitCode.INTERRUPTED


@pytest.mark.parametrize(("kinds", "code"), [(("blind",), None), (("blind", "nobody"), 8)])
async def test_a_session_that_died_is_an_alarm_though_the_venue_can_not_be_asked(kinds, code):
    """Where the machine has lost its network, both may be so at once."""

    class Blind:
        alarms = tuple(Sight(kind=kind, what="", gap="", told="") for kind in kinds)

        async def look(self):
            raise LOST

        async def close(self):
            pass

    watching: Any = Blind()
    looking = _look_on(watching, 5.0, is_once=True, as_json=True)
    if code is None:
        with pytest.raises(NetworkError):
            await looking
    else:
        assert await looking == code


def test_a_watcher_needs_no_secret_of_the_session(tmp_path, monkeypatch, capsys):
    """It is to run as a user of its own, who can't read what the session signs with."""
    monkeypatch.setenv("HOLDFAST_WATCH_API_KEY", "cAn4ry-key")
    monkeypatch.setenv("HOLDFAST_WATCH_API_SECRET", "cAn4ry-secret")
    (tmp_path / "holdfast.toml").write_text(
        'api_key = "traded"\napi_secret_file = "/nowhere/secret"\n'
        '[venue]\nname = "binance_futures"\nrest_url = "http://127.0.0.1:9"\n'
    )

    assert main(["watch", "--once"]) == 5
    told = capsys.readouterr().err
    assert "there is no journal" in told
    assert "secret" not in told
