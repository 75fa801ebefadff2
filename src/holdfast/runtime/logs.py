"""Set the logs up: a bounded queue, a rotating file, a console, and no secret in any of them.

Callers pay for putting a record on the queue; formatting, masking and writing are another
thread's. Records that find the queue full are counted and reported, never waited for.
"""

from __future__ import annotations

import logging
import queue
import sys
from collections.abc import Collection, Iterable, Iterator, MutableMapping
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import TextIO

import structlog

from ..model.errors import ConfigError
from ..owner_only import make_file, make_folder
from .notices import NOTICES
from .redaction import Redactor
from .unread import LINE_MAX, has_room

FILE_NAME = "holdfast.log"
FILE_BYTES_MAX = 10_000_000
FILES_KEPT = 5
QUEUE_MAX = 10_000

_Event = MutableMapping[str, object]


@contextmanager
def logging_to(
    folder: Path,
    *,
    level: str = "INFO",
    console_level: str | None = None,
    hidden_loggers: Collection[str] = (),
    secrets: Iterable[str] = (),
) -> Iterator[Redactor]:
    """Log to `holdfast.log` in a folder until the block ends.

    Args:
        console_level: what stderr shows too; None shows nothing there.
        hidden_loggers: names that stderr does not show: somebody else tells of them.
        secrets: values to mask; the redactor that is handed out takes more.

    Raises:
        ConfigError: the folder or the file can't be made.
    """
    redactor = Redactor(secrets)
    targets: list[logging.Handler] = [_file(folder)]
    targets[0].setFormatter(_Formatter(redactor))
    if console_level is not None:
        targets.append(_console(console_level, hidden_loggers))
        targets[1].setFormatter(_FirstLine(redactor))
    records: queue.Queue[logging.LogRecord] = queue.Queue(QUEUE_MAX)
    handler = _BoundedHandler(records)
    listener = _Listener(records, *targets, respect_handler_level=True)
    root = logging.getLogger()
    before = root.level
    logging.captureWarnings(True)
    root.addHandler(handler)
    root.setLevel(level)
    notices = logging.getLogger(NOTICES)
    notices.setLevel(min(root.level, logging.ERROR))  # no level is so high that it hides an alarm
    _join_structlog(redactor)
    listener.start()
    try:
        yield redactor
    finally:
        structlog.reset_defaults()
        root.removeHandler(handler)
        root.setLevel(before)
        notices.setLevel(logging.NOTSET)
        logging.captureWarnings(False)
        listener.stop()
        for target in targets:
            target.close()


def _join_structlog(redactor: Redactor) -> None:
    """Let records with names and values take the same road as all others."""

    def clean(_: object, __: str, event: _Event) -> _Event:
        return redactor.clean_values(event)

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.processors.format_exc_info,
            clean,
            _event_line,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )


def _file(folder: Path) -> logging.Handler:
    path = folder / FILE_NAME
    try:
        make_folder(folder)
        return _QuietFile(path, maxBytes=FILE_BYTES_MAX, backupCount=FILES_KEPT, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"the log {path} can't be written: {error.strerror}; "
            "name another folder with log_dir, or another data folder with --data-dir"
        ) from error


def _console(level: str, hidden: Collection[str]) -> logging.Handler:
    console = _Console(sys.stderr)
    console.setLevel(level)
    console.addFilter(lambda record: record.name not in hidden)
    return console


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Writes a record as one line of names and values, and masks what came together in it."""

    def __init__(self, redactor: Redactor) -> None:
        stamp = structlog.processors.TimeStamper(fmt="iso", utc=True, key="time")
        shared: list[structlog.typing.Processor] = [
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            stamp,
        ]
        super().__init__(
            foreign_pre_chain=shared,
            processors=[
                self.remove_processors_meta,
                structlog.processors.format_exc_info,
                _one_line,
            ],
        )
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        return self._redactor.clean(super().format(record))


class _FirstLine(_Formatter):
    """Leaves tracebacks to the file."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record, and say where there is more."""
        line, _, more = super().format(record).partition("\n")
        more = more or line[LINE_MAX:]
        return f"{line[:LINE_MAX]} (the log has more)" if more else line


def _one_line(_: object, __: str, event: _Event) -> str:
    """Write `time LEVEL logger: text`."""
    head = f"{event.pop('time', '')} {str(event.pop('level', '')).upper():<8}"
    return f"{head} {event.pop('logger', '')}: {_event_line(None, '', event)}"


def _event_line(_: object, __: str, event: _Event) -> str:
    """Write `text name=value`, with a traceback on lines of its own."""
    text, trace = str(event.pop("event", "")), event.pop("exception", "")
    values = "".join(f" {key}={value!r}" for key, value in event.items())
    return f"{text}{values}" + (f"\n{trace}" if trace else "")


class _Listener(QueueListener):
    """Waits for room to say that nothing follows: a log that is behind has none."""

    queue: queue.Queue[logging.LogRecord | None]

    def enqueue_sentinel(self) -> None:
        """Put the last word on the queue."""
        self.queue.put(None)  # what the listener's own thread ends with


class _BoundedHandler(QueueHandler):
    """Counts the records that there was no room for, and says so once there is."""

    def __init__(self, records: queue.Queue[logging.LogRecord]) -> None:
        super().__init__(records)
        self._dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Put a record on the queue, or count it."""
        try:
            if self._dropped:
                lost = logging.makeLogRecord(
                    {
                        "name": "holdfast.logs",
                        "levelno": logging.WARNING,
                        "levelname": "WARNING",
                        "msg": f"{self._dropped} lines were lost: the log could not keep up",
                    }
                )
                self.queue.put_nowait(lost)
                self._dropped = 0
            self.queue.put_nowait(record)
        except queue.Full:
            self._dropped += 1


class _Console(logging.StreamHandler[TextIO]):
    """Leaves out what nobody reads: the file is written by the same thread."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record, if that need not wait."""
        if has_room(self.stream):
            super().emit(record)


class _QuietFile(RotatingFileHandler):
    """A file that a full disk does not turn into a traceback for every line."""

    has_failed = False

    def _open(self) -> TextIOWrapper:
        make_file(self.baseFilename)
        return super()._open()

    def close(self) -> None:
        """Close the file, though its last lines can't be written: what follows can be told."""
        with suppress(OSError):
            super().close()

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Say once that the log can't be written."""
        error, is_told, self.has_failed = sys.exc_info()[1], self.has_failed, True
        if is_told or sys.stderr is None:
            return
        with suppress(OSError):  # it may be on the same disk
            print(f"the log {self.baseFilename} can't be written: {error}", file=sys.stderr)  # noqa: T201 - the log is what failed
