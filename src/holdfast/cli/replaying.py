"""Make one replay for a command: its journal, its report, and what to tell of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from ..model.errors import TradingError
from ..model.values import TradingSessionStatus
from ..owner_only import make_file, make_folder
from .exit_codes import ExitCode
from .output import warn
from .run import execute
from .telling import telling

if TYPE_CHECKING:
    from ..feeds import RecordingFeed
    from ..journal import MemoryJournal
    from ..model.config import TradingConfig
    from ..model.events import Event
    from ..model.market import Bar
    from ..model.values import Symbol
    from ..runtime.replay import Replayed
    from ..runtime.replay_sweep import Job

    Facts = Callable[[], Iterator[Event]]

Told = dict[str, Any]


class Place:
    """Where a replay leaves what it found."""

    def __init__(
        self, config: TradingConfig, out: Path | None, *, wants_report: bool, keeps_journal: bool
    ) -> None:
        self.session_id = str(uuid4())
        self.folder = config.data_dir / "replays"
        self.is_ours = out is None  # where a person names, the umask says who may read
        self.report = (out or self.folder / f"{self.session_id}.html") if wants_report else None
        self.journal = self.folder / f"{self.session_id}.db" if keeps_journal else None

    def have(self, write: Callable[[Path], object]) -> None:
        """Have the report written, where one is wanted. A failure is told, and costs no figures."""
        if self.report is None:
            return
        try:
            if self.is_ours:
                make_folder(self.folder)
                make_file(self.report)
            write(self.report)
        except (TradingError, OSError) as error:
            warn(f"no report: {error}")
            self._leave_out(self.report)

    def _leave_out(self, path: Path) -> None:
        """Go on without a report; what there is of one would be taken for all."""
        self.report = None
        if self.is_ours:
            with suppress(OSError):
                path.unlink()


def played(
    job: Job, names: tuple[str, ...], place: Place, *, is_quiet: bool
) -> tuple[Replayed, Told, Facts]:
    """Make one replay, its journal and its report."""
    from ..feeds import RecordingFeed
    from ..journal import MemoryJournal, open_journal
    from ..runtime.assembly import load_strategies
    from ..runtime.replay import replay as play
    from ..runtime.replay_said import terms_said
    from ..runtime.report import write_report

    feed = RecordingFeed(job.files, job.config.symbols, start_ts=job.start_ts, end_ts=job.end_ts)
    load_strategies(names)  # what can't be made is refused before a file is
    memory = MemoryJournal()
    if place.journal is not None:
        make_folder(place.folder)
    journal = memory if place.journal is None else open_journal(place.journal)
    with _progress(feed.start_ts, job.end_ts, is_quiet=is_quiet) as on_turn, telling():
        done = execute(
            play(
                job.config,
                names,
                feed,
                terms=job.terms,
                journal=journal,
                session_id=place.session_id,
                on_turn=on_turn,
            )
        )
    facts = _facts(place, memory)

    def write(path: Path) -> None:
        bars = _bars(feed, done)
        lines, of = terms_said(job), done.session_id
        write_report(path, facts(), bars=bars, session_id=of, title="Replay", lines=lines)

    place.have(write)
    return done, _document(done, job, names, place), facts


def _facts(place: Place, memory: MemoryJournal) -> Facts:
    from ..journal import open_journal

    if place.journal is None:
        return lambda: iter(memory.facts)

    def read() -> Iterator[Event]:
        journal = open_journal(place.journal or "", read_only=True)
        try:
            yield from journal.replay()
        finally:
            journal.close()

    return read


def _bars(feed: RecordingFeed, done: Replayed) -> dict[Symbol, Sequence[Bar]]:
    """Return what the price charts draw."""
    from .ending import bars_of

    return bars_of(feed, done.symbols, done.figures, done.now)


def _document(done: Replayed, job: Job, names: tuple[str, ...], place: Place) -> Told:
    from ..runtime.control_wire import builtins
    from ..runtime.views import when
    from .ending import figures_of

    stats, books = done.figures, done.books
    found: Told = builtins(
        {
            "session_id": done.session_id,
            "status": done.status,
            "reason": done.reason,
            "error": done.flaw or None,
            "stopped_strategies": done.stopped,
            "duration_s": round(done.seconds, 3),
            "cpu_s": round(done.cpu_s, 3),
            "feed_duration_s": stats.duration.total_seconds(),
            "started_at": when(stats.started_ts) if stats.started_ts else None,
            "stopped_at": when(stats.ended_ts) if stats.ended_ts else None,
            **figures_of(stats),
            "books": {
                "positions_diff": books.positions_diff if books else None,
                "balance_diff": books.balance_diff if books else None,
            },
            "differences": books.differences if books else None,
            "report": str(place.report) if place.report else None,
            "journal": str(place.journal) if place.journal else None,
            "files": job.files,
            "symbols": done.symbols,
            "strategies": names,
            "terms": job.terms,
        }
    )
    span = str(stats.duration).split(".", maxsplit=1)[0]
    found["messages_told"] = f"{span} of market in {done.seconds:.1f} s; {_books(found['books'])}"
    return found


def code_of(done: Replayed) -> ExitCode:
    """Say what is wrong with a replay, where something is, and return its exit code."""
    from .ending import books_code

    code = books_code(done.books)
    if done.status is TradingSessionStatus.ERROR:
        warn(done.flaw)
    elif not done.stopped:
        return code
    return ExitCode.SESSION_ERROR


def _books(books: dict[str, str | None]) -> str:
    if set(books.values()) == {"0"}:
        return "the books agree with the exchange's"
    return f"THE BOOKS DIFFER: {books}"


@contextmanager
def _progress(
    start_ts: int, end_ts: int | None, *, is_quiet: bool
) -> Iterator[Callable[[int], None] | None]:
    """Show how far the recording's time has come, on a terminal."""
    if is_quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        total = None if end_ts is None else (end_ts - start_ts) / 1e9
        task = bar.add_task("", total=total)

        def on_turn(now: int) -> None:
            at = datetime.fromtimestamp(now / 1e9, UTC)
            done_s = (now - start_ts) / 1e9
            bar.update(task, completed=done_s, description=f"{at:%Y-%m-%d %H:%M:%S}")

        yield on_turn
