"""Write a journal's facts to a file for other programs: a line a fact."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO

import msgspec

from ..model.errors import ConfigError
from .codec import decode, payload_of
from .inspect import Record, open_tables
from .location import scheme_of, sqlite_path

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# What most programs ask for; the payload has everything.
_FIELDS = (
    "account",
    "symbol",
    "strategy_id",
    "cl_ord_id",
    "parent_id",
    "intent_id",
    "side",
    "order_type",
    "qty",
    "price",
    "trigger_price",
    "trade_id",
    "fee",
    "fee_asset",
    "realized_pnl",
    "amount",
    "equity",
    "reason",
)


def export(where: str | Path, form: str, out: Path | TextIO) -> int:
    """Write all facts as "jsonl" or "csv" and return how many.

    Raises:
        ConfigError: the form is unknown, or the file can't be written, or is the journal's own.
        JournalCorrupt: a fact was altered or lost; those before it have been written.
    """
    if form not in FORMS:
        raise ConfigError(f"the form of an export must be {' or '.join(FORMS)}, was {form!r}")
    if isinstance(out, Path):
        _check_apart(out, where)
    tables = open_tables(where)
    try:
        records = (Record(row[0], row[1], row[2], decode(row)) for row in tables.checked_rows())
        if not isinstance(out, Path):
            return FORMS[form](records, out)
        with _created(out) as file:
            return FORMS[form](records, file)
    finally:
        tables.close()


def _check_apart(out: Path, where: str | Path) -> None:
    """Refuse to write over the journal, or over a file that belongs to it."""
    if scheme_of(where) != "sqlite":
        return
    place, database = out.resolve(), sqlite_path(where).resolve()
    beside = tuple(
        f"{database.name}{mark}" for mark in ("-", ".lock", ".stage-", ".archive", ".cut-")
    )
    is_named = place.name == database.name or place.name.startswith(beside)
    if place.parent == database.parent and is_named:
        raise ConfigError(f"{out} is a file of the journal itself: name another one")


def _created(path: Path) -> TextIO:
    try:
        return path.open("w", encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"can't write {path}: {error.strerror}") from error


def _write_jsonl(records: Iterator[Record], out: TextIO) -> int:
    count = 0
    for record in records:
        fact = msgspec.Raw(payload_of(record.fact))
        line = {"sequence": record.sequence, "epoch": record.epoch, "fact": fact}
        out.write(msgspec.json.encode(line).decode() + "\n")
        count += 1
    return count


def _write_csv(records: Iterator[Record], out: TextIO) -> int:
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["sequence", "epoch", "ts", "time", "kind", *_FIELDS, "payload"])
    count = 0
    for record in records:
        payload = payload_of(record.fact)
        values = _flat(msgspec.json.decode(payload))
        fields = [values.get(name, "") for name in _FIELDS]
        place = [record.sequence, record.epoch, record.ts, _time(record.ts), record.kind]
        writer.writerow([*place, *fields, payload.decode()])
        count += 1
    return count


def _flat(fact: dict[str, Any]) -> dict[str, Any]:
    """Return a fact's fields, and those of the order or signal inside it."""
    inner = fact.get("order") or fact.get("signal") or {}
    return {**inner, **fact}


def _time(ts: int) -> str:
    return (_EPOCH + timedelta(microseconds=ts // 1_000)).isoformat(timespec="microseconds")


FORMS: dict[str, Callable[[Iterator[Record], TextIO], int]] = {
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
