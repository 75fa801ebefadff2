"""The kill switch: block everything at once, also where no session runs, and let go again."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..model.errors import (
    ConfigError,
    InputError,
    JournalError,
    JournalLocked,
    OutcomeUnknownError,
    TradingError,
)
from ..runtime.control_file import (
    AnswerLost,
    NoSessionRunning,
    NotAnswering,
    read_endpoint,
)
from .options import (
    AsJson,
    ConfigFile,
    DatabaseUrl,
    DataDir,
    Place,
    UrgentDatabaseUrl,
    has_password,
)
from .output import print_json, warn

if TYPE_CHECKING:
    from ..runtime.control_client import ControlClient

TRIES_MAX = 40
"""A session may be just starting or just ending: its journal is taken, and nobody answers yet."""

TRY_EVERY_S = 0.25


def kill(
    flatten: Annotated[bool, typer.Option("--flatten", help="Close all positions too.")] = False,
    reason: Annotated[str, typer.Option("--reason", help="Why; for the journal.")] = "operator",
    data_dir: DataDir = None,
    database_url: UrgentDatabaseUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Block new orders and cancel all entries at once, until `holdfast release`.

    Where no session runs, the block is written to the journal, and the next start obeys it. Where
    there is no journal either, nothing is done, and the exit code is 6. Where the session's process
    does not answer, or the journal takes nothing, the kill is left in the data folder, and the exit
    code is 4.
    """
    found = _kill(Place(data_dir, config, database_url), reason, flatten=flatten)
    if as_json:
        print_json(found)
    elif found["is_running"]:
        print("kill switch engaged; entries are being cancelled. holdfast release lifts it")
    else:
        whose = f" with the journal {found['journal']}" if database_url else ""
        print(
            f"NO SESSION RUNS in {found['data_dir']}{whose}: nothing was cancelled. The kill "
            "switch is engaged in its journal, and the next session there will start blocked"
        )
    if has_password(database_url):
        warn("--database-url shows a password to every user of this machine: change it")


def _kill(place: Place, reason: str, *, flatten: bool) -> dict[str, Any]:
    for attempt in range(TRIES_MAX):
        try:
            return _engaged(place, reason, flatten=flatten)
        except JournalLocked as error:
            if attempt == TRIES_MAX - 1:
                raise _left(place, reason, error, flatten=flatten) from error
        except (NotAnswering, OutcomeUnknownError, JournalError) as error:
            raise _left(place, reason, error, flatten=flatten) from error
        time.sleep(TRY_EVERY_S)
    raise AssertionError("the last attempt returns or raises")


def _engaged(place: Place, reason: str, *, flatten: bool) -> dict[str, Any]:
    """Have the session obey, or put it into the journal where none runs."""
    try:
        found = _client(place).post("/v1/kill", reason=reason, flatten=flatten)
    except (NoSessionRunning, AnswerLost):
        return _latch(place, reason, flatten=flatten)
    return {**found, "is_running": True}


def _client(place: Place) -> ControlClient:
    """Return a client of the session; one that can't be told from its control file is not asked."""
    if place.database_url is None:
        place.folder()  # a mistake in the settings is one here too
    else:
        place.config()
    try:
        return place.client()
    except ConfigError as error:
        raise NotAnswering(str(error)) from error


def _latch(place: Place, reason: str, *, flatten: bool) -> dict[str, Any]:
    from ..journal.location import scheme_of
    from ..model.messages import EngageKillSwitch
    from ..runtime.left_kill import journal_of
    from .latch import engage

    config = place.config()
    try:
        engage(config, EngageKillSwitch(reason=reason, flatten=flatten))
    except ConfigError as error:
        if scheme_of(config.database_url) != "sqlite":
            raise
        raise JournalError(str(error)) from error  # its file, or the lock's, can't be written
    found = {"data_dir": str(config.data_dir), "journal": journal_of(config)}
    return {"is_killed": True, "is_running": False, **found}


def _left(place: Place, reason: str, error: TradingError, *, flatten: bool) -> TradingError:
    """Leave the kill for a process that does not answer, and return what to say of it."""
    from ..runtime.left_kill import leave_kill

    if isinstance(error, JournalLocked) and not _is_heard(place):
        return JournalLocked(
            f"NOTHING WAS CANCELLED, AND NO KILL IS ON RECORD: {error}. No session of the folder "
            f"{place.folder().absolute()} has that journal and answers: name that process's own "
            f"with --data-dir{_other_folder(place)}, on its machine"
        )
    try:
        journal = _journal(place, error)
        path = leave_kill(place.folder(), reason, flatten=flatten, journal=journal)
    except ConfigError as unwritten:
        return ConfigError(
            f"NOTHING WAS CANCELLED, AND NO KILL IS ON RECORD: {error}. It can't be left for that "
            f"process either: {unwritten}"
        )
    was_asked = isinstance(error, OutcomeUnknownError)
    done = "NOBODY KNOWS WHETHER IT WAS OBEYED" if was_asked else "NOTHING WAS CANCELLED YET"
    return OutcomeUnknownError(
        f"{done}: {error}. The kill is on record in {path.absolute()}: a process of holdfast run "
        "obeys it as soon as it goes on, and the next start with this data folder and its journal "
        "does so if it does not: one elsewhere, as on another machine, knows nothing of it"
    )


def _journal(place: Place, error: TradingError) -> str:
    """Return whose session is meant: that of the journal which was named, else the one that is
    there, else that of the configured journal; "" for any.
    """
    from ..runtime.left_kill import journal_of

    try:
        if place.means(found := read_endpoint(place.folder())):
            return found.journal
    except TradingError:  # there is none, or it can't be told of which journal it is
        if place.database_url is None and not isinstance(error, JournalError):
            return ""
    return journal_of(place.config())


def _is_heard(place: Place) -> bool:
    """Tell whether whoever owns the journal, or is next to, may look into this folder."""
    try:
        if place.means(read_endpoint(place.folder())):
            return True
    except NoSessionRunning:
        pass
    except ConfigError:  # somebody's session, of which nobody can tell
        return True
    return _folder_of_journal(place) == place.folder().resolve()


def _folder_of_journal(place: Place) -> Path | None:
    """Return where the journal's file is; None where a server has it."""
    from ..journal.location import scheme_of, sqlite_path

    where = place.config().database_url
    return sqlite_path(where).resolve().parent if scheme_of(where) == "sqlite" else None


def _other_folder(place: Place) -> str:
    """Name the folder in which a session with the journal runs, where that is beside it."""
    if (folder := _folder_of_journal(place)) is None:
        return ""
    try:
        beside = Place(folder, place.config_file, place.config().database_url)
        is_it = beside.means(read_endpoint(folder))
    except TradingError:
        return ""
    return f" {folder}" if is_it else ""


def release(
    operator: Annotated[
        str | None,
        typer.Option("--operator", help="Who answers for going on.", show_default=False),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing; needs --operator.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Release the kill switch: orders may go out again."""
    who = _confirmed(operator, is_sure=yes)
    place = Place(data_dir, config, database_url)
    try:
        found = place.client().post("/v1/release", operator=who)
    except (NoSessionRunning, AnswerLost):
        from ..model.messages import ReleaseKillSwitch
        from .latch import engage

        engage(place.config(), ReleaseKillSwitch(operator=who))
        found = {"is_killed": False}
    if as_json:
        print_json(found)
    else:
        print(f"kill switch released by {who}")


def _confirmed(operator: str | None, *, is_sure: bool) -> str:
    if is_sure:
        if not (operator or "").strip():
            raise InputError("--yes needs --operator NAME: somebody must answer for the release")
        return str(operator).strip()
    try:
        typed = typer.prompt('Type "release" to let orders go out again', err=True)
        if typed.strip().lower() != "release":
            raise InputError("not released: the word was not typed")
        return operator or str(typer.prompt("Your name", err=True)).strip()
    except typer.Abort:
        print(file=sys.stderr)  # the question's line has no end
        raise InputError(
            "not released: nothing was typed; --yes --operator NAME asks nothing"
        ) from None
