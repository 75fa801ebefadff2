"""A venue's books are asked for while a life lasts, and not after."""

from __future__ import annotations

from holdfast.runtime.books import read_books
from tests.runtime.control_desk import running


async def test_a_life_that_has_ended_asks_nobody_for_its_books(tmp_path):
    async with running(tmp_path) as desk:
        live = desk.service.live
        there = await read_books(live)
        await desk.service.stop()
        gone = await read_books(live)

    assert there is not None
    assert gone is None
    assert not live.shell.has_failed
