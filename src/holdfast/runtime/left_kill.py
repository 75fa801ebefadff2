"""A kill that is left in the data folder for a session whose process does not answer.

Its journal can't be written while that process owns it. The session obeys as soon as it goes on;
if it ends instead, the next one starts blocked.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import time
from pathlib import Path

from ..journal.archives import sync_directory
from ..model.config import TradingConfig
from ..model.errors import ConfigError
from ..model.ids import epoch_at
from ..model.messages import EngageKillSwitch
from ..owner_only import make_file
from .assembly import own_journal
from .last_words import record_latch
from .machine import is_made
from .service import LiveTradingService
from .wanted import words_of

FILE_NAME = "kill.json"
UNREAD = b"?"
UNREADABLE = "a kill was left whose words can't be read"


def leave_kill(folder: Path, reason: str, *, flatten: bool) -> Path:
    """Write a kill down, durably, for the session of a folder.

    Of two that nobody has obeyed yet the later one's reason holds; that positions are to be closed
    is not taken back.

    Raises:
        ConfigError: the folder can't be written to.
    """
    path = folder / FILE_NAME
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    words = {
        "reason": words_of(reason),
        "flatten": flatten or _message(_left(folder)).flatten,
        "left_ts": time.time_ns(),  # no two are alike
    }
    try:
        make_file(draft)
        with draft.open("w", encoding="utf-8") as file:
            json.dump(words, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    with contextlib.suppress(OSError):  # there are disks that can't do so with folders
        sync_directory(folder)
    return path


def kill_left_in(folder: Path) -> EngageKillSwitch | None:
    """Return what was left there and nobody has obeyed yet."""
    return _message(left) if (left := _left(folder)) else None


class Heeding:
    """Has a running session obey what is left for it in its folder, each word once."""

    def __init__(self, service: LiveTradingService, folder: Path) -> None:
        self._service = service
        self._folder = folder
        self._obeyed = b""  # the last one: it may be that it can't be removed
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Obey what is there.

        Raises:
            TradingError: it can't just now.
        """
        async with self._looking:
            if not (left := _left(self._folder)):
                return
            if left != self._obeyed:
                message = _message(left)
                await self._service.kill(message.reason, flatten=message.flatten)
                self._obeyed = left
            _forget(self._folder, left)


def record_left(config: TradingConfig) -> None:
    """Put into the journal of a session that does not run what was left for it.

    Raises:
        TradingError: the journal can't be had, or not be written.
    """
    if left := _left(config.data_dir):
        if not is_made(config.database_url):  # it was lost: which ids it gave nobody knows
            own_journal(config, epoch_at(time.time_ns())).close()
        record_latch(config, _message(left))
        _forget(config.data_dir, left)


def _left(folder: Path) -> bytes:
    """Return what was left; "" also where nobody can tell, as on a disk that does not answer."""
    path = folder / FILE_NAME
    try:
        return path.read_bytes() or UNREAD
    except OSError:  # too many files are open, for one
        return UNREAD if os.path.lexists(path) else b""


def _message(left: bytes) -> EngageKillSwitch:
    """Return what was meant; what is no more to be read may still be obeyed."""
    try:
        found = json.loads(left)
        reason, flatten = words_of(found["reason"]), found["flatten"] is True
        return EngageKillSwitch(reason=reason, flatten=flatten)
    except (ValueError, KeyError, TypeError):
        return EngageKillSwitch(reason=UNREADABLE)


def _forget(folder: Path, left: bytes) -> None:
    """Remove it, unless another one was left meanwhile."""
    if _left(folder) == left:
        with contextlib.suppress(OSError):
            (folder / FILE_NAME).unlink()
            sync_directory(folder)
