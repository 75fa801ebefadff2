"""A kill that is left in the data folder for a session whose process does not answer.

Its journal can't be written while that process owns it. The session obeys as soon as it goes on;
if it ends instead, the next one starts blocked.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path

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
UNREADABLE = "a kill was left whose words can't be read"


def leave_kill(folder: Path, reason: str, *, flatten: bool) -> Path:
    """Write a kill down, durably, for the session of a folder.

    Raises:
        ConfigError: the folder can't be written to.
    """
    path = folder / FILE_NAME
    draft = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        make_file(draft)
        with draft.open("w", encoding="utf-8") as file:
            json.dump({"reason": words_of(reason), "flatten": flatten}, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        raise ConfigError(f"{path} can't be written: {error.strerror}") from error
    return path


async def heed(service: LiveTradingService, folder: Path) -> None:
    """Have a running session obey what was left for it.

    Raises:
        TradingError: it can't just now.
    """
    if left := _left(folder):
        message = _message(left)
        await service.kill(message.reason, flatten=message.flatten)
        _forget(folder, left)


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
    try:
        return (folder / FILE_NAME).read_bytes() or b"?"
    except FileNotFoundError:
        return b""
    except OSError:
        return b"?"


def _message(left: bytes) -> EngageKillSwitch:
    """Return what was meant; what is no more to be read may still be obeyed."""
    try:
        found = json.loads(left)
        return EngageKillSwitch(reason=str(found["reason"]), flatten=found["flatten"] is True)
    except (ValueError, KeyError, TypeError):
        return EngageKillSwitch(reason=UNREADABLE)


def _forget(folder: Path, left: bytes) -> None:
    """Remove it, unless another one was left meanwhile."""
    if _left(folder) == left:
        with contextlib.suppress(OSError):
            (folder / FILE_NAME).unlink()
