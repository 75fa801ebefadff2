"""A kill that is left in the data folder for a session whose process does not answer.

Its journal can't be written while that process owns it. The session obeys as soon as it goes on;
if it ends instead, the next one starts blocked.

Rule: a kill is of one journal, and each has a file of its own; what does not say of which is obeyed
      by whoever finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ..journal.archives import sync_directory
from ..journal.location import scheme_of, server_place, sqlite_path
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
USUAL_JOURNAL = "holdfast.db"

_log = logging.getLogger("holdfast.control")


class Left(NamedTuple):
    """What was left: the file, and the bytes in it."""

    path: Path
    text: bytes


def journal_of(config: TradingConfig) -> str:
    """Return the name of a session's journal: in its data folder, by its place there."""
    url = config.database_url
    if scheme_of(url) != "sqlite":
        return server_place(url)
    path, folder = sqlite_path(url).resolve(), config.data_dir.resolve()
    return str(path.relative_to(folder) if path.is_relative_to(folder) else path)


def leave_kill(folder: Path, reason: str, *, flatten: bool, journal: str = "") -> Path:
    """Write a kill down, durably, for the session of a folder.

    Of two that nobody has obeyed yet the later one's reason holds; that positions are to be closed
    is not taken back.

    Args:
        journal: whose session is meant; "" where that is not known.

    Raises:
        ConfigError: the folder can't be written to.
    """
    path = folder / _file_of(journal)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    before = _read(path)
    words = {
        "reason": words_of(reason),
        "flatten": flatten or _message(before).flatten,
        "journal": journal if not before or _is_named(before) else "",
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


def kill_left_for(config: TradingConfig) -> tuple[EngageKillSwitch, str] | None:
    """Return what was left for a session and not obeyed yet, and the name of the file."""
    found = _left(config.data_dir, journal_of(config))
    return (_message(found[0].text), found[0].path.name) if found else None


class Heeding:
    """Has a running session obey what is left for it in its folder, each word once."""

    def __init__(self, service: LiveTradingService, folder: Path) -> None:
        self._service = service
        self._folder = folder
        self._obeyed: dict[Path, bytes] = {}  # the last ones: it may be that they can't be removed
        self._looking = asyncio.Lock()

    async def look(self) -> None:
        """Obey what is there.

        Raises:
            TradingError: it can't just now.
        """
        async with self._looking:
            for left in _left(self._folder, journal_of(self._service.config)):
                if left.text != self._obeyed.get(left.path):
                    message = _message(left.text)
                    await self._service.kill(message.reason, flatten=message.flatten)
                    self._obeyed[left.path] = left.text
                _forget(left)


def record_left(config: TradingConfig) -> None:
    """Put into the journal of a session that does not run what was left for it.

    Raises:
        TradingError: the journal can't be had, or not be written.
    """
    found = _left(config.data_dir, journal_of(config))
    for left in found:
        if not is_made(config.database_url):  # it was lost: which ids it gave nobody knows
            own_journal(config, epoch_at(time.time_ns())).close()
        record_latch(config, _message(left.text))
        _forget(left)
    _tell_others(config.data_dir, {left.path for left in found})


def _tell_others(folder: Path, ours: set[Path]) -> None:
    """Say what stays there, for it is not ours."""
    with contextlib.suppress(OSError):
        for path in sorted({*folder.glob(f"{Path(FILE_NAME).stem}*.json")} - ours):
            _log.warning("%s is for another journal: its own next start obeys it", path)


def _file_of(journal: str) -> str:
    if journal in {"", USUAL_JOURNAL}:
        return FILE_NAME
    return f"kill.{sha256(journal.encode()).hexdigest()[:12]}.json"


def _left(folder: Path, journal: str) -> list[Left]:
    """Return what was left for the session of a journal."""
    names = dict.fromkeys((FILE_NAME, _file_of(journal)))
    found = (Left(folder / name, _read(folder / name)) for name in names)
    return [left for left in found if left.text and _is_for(journal, left.text)]


def _is_for(journal: str, text: bytes) -> bool:
    return not (journal and _is_named(text)) or json.loads(text)["journal"] == journal


def _is_named(text: bytes) -> bool:
    """Tell whether a kill says of which journal it is."""
    try:
        return bool(json.loads(text)["journal"])
    except (ValueError, KeyError, TypeError):
        return False


def _read(path: Path) -> bytes:
    """Return what was left; "" also where nobody can tell, as on a disk that does not answer."""
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


def _forget(left: Left) -> None:
    """Remove it, unless another one was left meanwhile."""
    if _read(left.path) == left.text:
        with contextlib.suppress(OSError):
            left.path.unlink()
            sync_directory(left.path.parent)
