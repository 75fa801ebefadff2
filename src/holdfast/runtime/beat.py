"""Keep a session's time passing while its feed is silent, and save its state now and then."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.values import TradingSessionStatus

if TYPE_CHECKING:
    from .live import LiveSession

HEARTBEAT_S = 1.0

SNAPSHOT_FACTS = 5_000
"""So many facts after the last snapshot the next is due: what a start folds stays short."""


class Beat:
    """Beats from `begin` on, until the session is STOPPED or `end`.

    Args:
        save_interval_s: how often the state is saved, at least.
    """

    def __init__(self, session: LiveSession, save_interval_s: float) -> None:
        self._session = session
        self._save_interval_s = save_interval_s
        self._task: asyncio.Future[None] | None = None

    def begin(self) -> asyncio.Future[None]:
        """Have time pass, counted from now; return what is done when it is over."""
        self.end()
        self._task = asyncio.ensure_future(self._run())
        return self._task

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _run(self) -> None:
        try:
            await self._beat()
        except Exception as error:  # noqa: BLE001 - whatever it is, this life is over
            self._session.shell.fail(error)

    async def _beat(self) -> None:
        session, loop = self._session, asyncio.get_running_loop()
        next_save = loop.time() + self._save_interval_s
        while session.status is not TradingSessionStatus.STOPPED:
            await asyncio.sleep(HEARTBEAT_S)
            if session.now() >= session.next_tick:
                session.tick()
            if loop.time() >= next_save or session.unsaved >= SNAPSHOT_FACTS:
                next_save = loop.time() + self._save_interval_s
                await session.save()
                if session.rotation is not None:  # it archives before a snapshot: there is one
                    session.rotation.look(session.now())
