"""Look into the journal from outside: is it whole, what happened last, all of it as a file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..model.errors import JournalCorrupt
from .options import AsJson, ConfigFile, DatabaseUrl, DataDir, Place
from .output import print_json, print_pairs, print_table, visible, warn, write_utf8

if TYPE_CHECKING:
    from ..journal.inspect import Record, VerifyReport
    from ..stats import Books


def verify(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Check every fact's hash, the snapshot, and the books, from the facts alone."""
    from ..journal.inspect import verify as check

    where = Place(data_dir, config, database_url).config().database_url
    report = check(where)
    if not report.is_ok:
        at = f" at fact {report.broken_at}" if report.broken_at is not None else ""
        raise JournalCorrupt(f"the journal is damaged{at}: {report.problem}")
    books, repeated = _books(where)
    if not as_json:
        _print_verified(report, books)
        for name in repeated:
            print(f"  booked more than once: {name}")
    document = _verified(report, books, repeated)
    if repeated:
        error = JournalCorrupt(f"{len(repeated)} amounts were booked more than once")
        error.document = document  # type: ignore[attr-defined]  # told by entry.py
        raise error
    if as_json:
        print_json(document)


def _books(where: str) -> tuple[Books, list[str]]:
    from ..journal import open_journal
    from ..runtime.recovery import StateRecoveryService
    from ..stats import fold_books, repeated_ids

    journal = open_journal(where, read_only=True)
    try:
        if problem := StateRecoveryService(journal).check():
            raise JournalCorrupt(
                f"{problem}: empty the table of snapshots while no session runs, and the next "
                "start folds all facts"
            )
        return fold_books(journal.replay()), repeated_ids(journal.replay())
    finally:
        journal.close()


def _verified(report: VerifyReport, books: Books, repeated: list[str]) -> dict[str, Any]:
    from ..runtime.control_wire import builtins

    document: dict[str, Any] = builtins(
        {
            "is_ok": report.is_ok and not repeated,
            "report": report,
            "positions": [
                {"account": key[0], "symbol": key[1], "quantity": qty}
                for key, qty in books.positions.items()
            ],
            "wallets": [
                {"account": key[0], "asset": key[1], "wallet": wallet, "balance": wallet.balance}
                for key, wallet in books.wallets.items()
            ],
            "booked_twice": repeated,
        }
    )
    return document


def _print_verified(report: VerifyReport, books: Books) -> None:
    from ..model.values import plain

    print_pairs(
        "the journal is whole",
        [
            ("Facts", f"{report.facts:,}"),
            ("From", _time(report.first_ts)),
            ("To", _time(report.last_ts)),
            ("Starts", str(report.epochs)),
        ],
    )
    print_table(
        "Positions, as the fills add up",
        ["Account", "Symbol", "Quantity>"],
        [[key[0], key[1], plain(qty)] for key, qty in books.positions.items() if qty],
    )
    print_table(
        "Wallets: deposits + realized - fees + funding",
        ["Account", "Asset", "Deposits>", "Realized>", "Fees>", "Funding>", "Balance>"],
        [
            [key[0], key[1], *map(plain, (w.deposits, w.realized, w.fees, w.funding, w.balance))]
            for key, w in books.wallets.items()
        ],
    )


def tail(
    count: Annotated[int, typer.Option("-n", "--count", min=0, help="How many facts.")] = 20,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more.")] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document a line.")] = False,
) -> None:
    """Show the last facts, oldest first."""
    from ..journal.inspect import tail as last

    where = Place(data_dir, config, database_url).config().database_url
    write = _json_line if as_json else _line
    if as_json:
        write_utf8()
    try:
        for record in last(where, count, follow=follow):
            print(write(record), flush=follow)
    except KeyboardInterrupt:
        if not follow:
            raise


def _line(record: Record) -> str:
    import msgspec

    from ..model.values import plain

    fact = msgspec.to_builtins(record.fact, builtin_types=(Decimal,))
    inner = fact.pop("order", None) or fact.pop("signal", None) or {}
    fields = {**inner, **fact}
    hidden = ("type", "ts", "verdicts")
    shown = " ".join(
        f"{k}={plain(v) if isinstance(v, Decimal) else v}"
        for k, v in fields.items()
        if k not in hidden and not isinstance(v, dict)
    )
    return f"{record.sequence:>8} {_time(record.ts)} {record.kind:<20} {visible(shown)}"


def _json_line(record: Record) -> str:
    import msgspec

    return msgspec.json.encode(
        {"sequence": record.sequence, "epoch": record.epoch, "fact": record.fact}
    ).decode()


def export(
    out: Annotated[Path, typer.Argument(help="File to write, or - for stdout.")],
    form: Annotated[
        str, typer.Option("--form", help="jsonl or csv; else the file's ending says.")
    ] = "",
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Write all facts to a file for other programs, a line a fact."""
    from ..journal.export import export as write

    where = Place(data_dir, config, database_url).config().database_url
    chosen = form or ("csv" if out.suffix == ".csv" else "jsonl")
    if str(out) == "-":
        write_utf8()
        write(where, chosen, sys.stdout)
        return
    count = write(where, chosen, out)
    if as_json:
        print_json({"facts": count, "file": str(out), "form": chosen})
    else:
        print(f"{count:,} facts written to {out}")


def archive(
    data_dir: DataDir = None,
    config: ConfigFile = None,
    database_url: DatabaseUrl = None,
    as_json: AsJson = False,
) -> None:
    """Move the facts before the last snapshot to compressed archives.

    They are files beside an SQLite database, rows of a table on a server. The other commands read
    them there, and a session that is running goes on.
    """
    from ..journal.archiving import archive as move

    where = Place(data_dir, config, database_url).config().database_url
    told = []
    while each := move(where, tell=warn):
        told.append({"first": each.first, "last": each.last, "file": each.file})
        if not as_json:  # the next one may fail
            print(f"facts {each.first:,} to {each.last:,} moved to {each.file}")
    if as_json:
        print_json({"archived": told})
    elif not told:
        print("nothing to archive: the newest facts, and those behind the snapshot, stay")


def _time(ts: int) -> str:
    return f"{datetime.fromtimestamp(ts / 1e9, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3] if ts else ""


COMMANDS: dict[str, Callable[..., None]] = {
    "verify": verify,
    "tail": tail,
    "export": export,
    "archive": archive,
}
