"""Have a process of its own archive old facts, beside the session: at its start, then at midnight.

The session does nothing for it but to start that process and to hear how it went. Where it is
killed, or the session is, the next one goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys

import msgspec

from ..journal.location import scheme_of
from ..model.values import NS_PER_DAY

ARCHIVED = frozenset({"sqlite", "postgresql"})
"""Where journals outlive their process, and may grow for ever."""

DEATH_S_MAX = 5.0
"""How long a killed archiver is waited for: a disk that hangs may hold it."""

_log = logging.getLogger("holdfast.journal")


class Rotation:
    """Starts the archiver when a day has begun.

    Args:
        where: the journal.
        spare: how many old facts may stay in its table; None archives none.
    """

    def __init__(self, where: str, spare: int | None) -> None:
        self._where = where
        self._spare = spare
        self._is_wanted = spare is not None and scheme_of(where) in ARCHIVED
        self._day = -1  # the last one on which the archiver was started
        self._task: asyncio.Task[None] | None = None

    @property
    def is_busy(self) -> bool:
        """Tell whether the archiver is at work."""
        return self._task is not None and not self._task.done()

    def look(self, now: int) -> None:
        """Start the archiver unless it was started on this day (UTC), or is at work."""
        day = now // NS_PER_DAY
        if not self._is_wanted or day == self._day or self.is_busy:
            return
        self._day = day
        self._task = asyncio.get_running_loop().create_task(self._archive())

    async def close(self) -> None:
        """Kill the archiver, wherever it is: it may be killed at any time."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})

    async def _archive(self) -> None:
        # On standard input: an address may hold a password, and arguments are for all to see.
        # A plain text, because the codec takes no subclass, and settings hold the address as one.
        asked = msgspec.json.encode({"where": str(self._where), "spare": self._spare})
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-P", "-m", "holdfast.runtime.archiver"),  # whatever lies in the folder it is in
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is the session's
            )
        except OSError as error:
            _log.warning("old facts were not archived: %s", error)
            return
        try:
            said, _ = await process.communicate(asked)
        finally:
            await _ended(process)
        for line in said.decode(errors="replace").splitlines():
            _log.log(logging.WARNING if process.returncode else logging.INFO, "%s", line)


async def _ended(process: asyncio.subprocess.Process) -> None:
    """Kill a process that is still at work, and see it gone: nobody hears of it later."""
    if process.returncode is None:
        process.kill()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), DEATH_S_MAX)
