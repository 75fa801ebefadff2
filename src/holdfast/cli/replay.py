"""Replay recorded markets: one session, a sweep of parameters, a walk-forward, a comparison."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import ConfigError, InputError
from .options import AsJson, ConfigFile, DataDir
from .output import NEWLINE, print_json, visible, warn
from .replaying import Place, Told, code_of, played
from .run import DEFAULT_STRATEGY, overrides_of, seconds_of

if TYPE_CHECKING:
    from ..model.config import TradingConfig
    from ..model.values import Symbol
    from ..runtime.replay import Terms
    from ..runtime.replay_sweep import Job


_BARE = re.compile(r"[0-9]+\.?[0-9]*|\.[0-9]+")
YEARS_MAX = timedelta(days=230 * 365)
"""Past 1970: times are nanoseconds in 64 bits."""


def replay(
    files: Annotated[
        list[str], typer.Argument(help="Recordings: files, folders, globs.", show_default=False)
    ],
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", "-s", help="Name, name:parameter=value,... or FILE.py:Class. Repeatable."
        ),
    ] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="BTCUSDT,ETHUSDT ...")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="Leave out what is earlier: 2025-05-04[T12:30].")
    ] = None,
    to: Annotated[str | None, typer.Option("--to", help="Leave out what is later.")] = None,
    latency: Annotated[
        str | None, typer.Option("--latency", help="To the exchange, and back: 50ms, 1s.")
    ] = None,
    fees: Annotated[
        str | None, typer.Option("--fees", help="MAKER,TAKER as fractions or in bp: 2bp,5bp.")
    ] = None,
    half_spread: Annotated[
        str | None,
        typer.Option("--half-spread", help="Paid where the recording has no quotes: 1bp."),
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option("--queue", help="Quantity ahead of a resting order, where none is shown."),
    ] = None,
    balance: Annotated[str | None, typer.Option("--balance", help="Of the account.")] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: NAME=VALUE, as config show lists. Repeatable."),
    ] = None,
    grid: Annotated[
        list[str] | None,
        typer.Option("--grid", help="Sweep a parameter: fast=5:50:5 or kind=a,b. Repeatable."),
    ] = None,
    walk: Annotated[
        int | None,
        typer.Option("--walk-forward", help="So many folds: best of each tried on the next."),
    ] = None,
    by: Annotated[str, typer.Option("--by", help="What the best is found by.")] = "pnl",
    jobs: Annotated[int, typer.Option("--jobs", help="Processes of a sweep.", min=1, max=256)] = 2,
    compare: Annotated[
        str | None,
        typer.Option("--compare", help="Session of the journal in --data-dir, or last."),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", "--report", help="HTML report; else DATA_DIR/replays/ID.html."),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML report.")] = False,
    no_journal: Annotated[
        bool, typer.Option("--no-journal", help="Keep the facts in memory alone.")
    ] = False,
    data_dir: DataDir = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run strategies over recorded markets as fast as they can be read: the same engine, rules and
    exchange as a session, under the recording's own time. Two replays of the same files give the
    same facts.

    The journal goes to DATA_DIR/replays/ID.db, which trace, journal and stats read with
    --database-url.
    """
    flags = {"symbols": symbols, "initial_balance": balance, "data_dir": data_dir}
    loaded, is_asked = _load(config, overrides_of(settings, flags))
    if not is_asked and compare is None:
        loaded = _with_files_symbols(loaded, files)
    from ..runtime.replay_sweep import FIGURES, Job, parse_grid

    if by not in FIGURES:
        raise InputError(f"--by must be one of {', '.join(FIGURES)}, was {by!r}")
    names = tuple(strategy or loaded.strategies or (DEFAULT_STRATEGY,))
    job = Job(
        config=loaded,
        strategy=names[0],
        files=tuple(files),
        terms=_terms(latency, fees, half_spread, queue),
        start_ts=0 if from_ is None else _time(from_, "--from"),
        end_ts=None if to is None else _time(to, "--to"),
    )
    if job.end_ts is not None and job.end_ts <= job.start_ts:
        raise InputError(f"--to must be later than --from, was {to!r}")
    place = Place(loaded, out, wants_report=not no_report, keeps_journal=not no_journal)
    if compare is not None:
        from .replay_compare import compared

        if grid or walk is not None:
            raise InputError("--compare makes one replay: leave --grid and --walk-forward out")
        has_balance = balance is not None
        return compared(job, strategy, compare, place, has_balance=has_balance, as_json=as_json)
    if not grid:
        if walk is not None:
            raise InputError("--walk-forward needs a --grid to choose from")
        return _one(job, names, place, as_json=as_json)
    if len(names) > 1:
        raise InputError(f"a sweep is of one strategy, there are {', '.join(names)}")
    from .replay_sweep import swept, walked

    axes = parse_grid(grid)
    if walk is None:
        return swept(job, axes, by, jobs, place, as_json=as_json)
    return walked(job, axes, by, jobs, walk, place, as_json=as_json)


def _load(path: Path | None, overrides: Told) -> tuple[TradingConfig, bool]:
    """Return the settings, and whether the symbols were asked for in the command itself."""
    from ..model.config import TradingConfig

    loaded = TradingConfig.load(path, overrides={**overrides, "dry_run": True, "speed": 0.0})
    for warning in loaded.warnings:
        warn(warning)
    return loaded.config, "symbols" in overrides


def _with_files_symbols(config: TradingConfig, files: list[str]) -> TradingConfig:
    """Leave out what the settings name for sessions and no file has; of no such, take all."""
    from ..feeds import RecordingFeed

    def has(*symbols: Symbol) -> bool:
        try:
            RecordingFeed(files, symbols)
        except ConfigError:
            return False
        return True

    if not config.symbols or has(*config.symbols):
        return config
    there = tuple(symbol for symbol in config.symbols if has(symbol))
    return config.model_copy(update={"symbols": there})


def _one(job: Job, names: tuple[str, ...], place: Place, *, as_json: bool) -> int:
    done, document, _ = played(job, names, place, is_quiet=as_json)
    if as_json:
        print_json(document)
    else:
        from ..runtime.report import text_report

        print(visible(text_report(done.figures), keep=NEWLINE))
        print(f"\n{document['messages_told']}")
        for name in ("journal", "report"):
            if document[name]:
                print(f"{name.capitalize()}: {document[name]}")
    return code_of(done)


def _terms(
    latency: str | None, fees: str | None, half_spread: str | None, queue: str | None
) -> Terms:
    from ..exchange import Liquidity
    from ..runtime.replay import Terms

    given: Told = {}
    if half_spread is not None:
        given["half_spread"] = _from_0(_fraction(half_spread, "--half-spread"), "--half-spread")
    if queue is not None:
        given["unknown_queue"] = _from_0(_number(queue, "--queue"), "--queue")
    maker = taker = None
    if fees is not None:
        parts = fees.split(",")
        if len(parts) != 2:
            raise InputError(f"--fees takes MAKER,TAKER, was {fees!r}")
        maker, taker = (_fraction(part, "--fees") for part in parts)
    return Terms(
        latency_ns=0 if latency is None else _latency(latency),
        maker_fee=maker,
        taker_fee=taker,
        liquidity=Liquidity(**given),
    )


def _latency(text: str) -> int:
    """Read a way's length. It needs its unit: people who write 50 mean milliseconds."""
    example = "50ms or 1s"
    if _BARE.fullmatch(text.strip()) and float(text) != 0:
        raise InputError(f"--latency takes a time with its unit, such as {example}, was {text!r}")
    if text.strip().rstrip("ms") in {"0", "0.0"}:
        return 0
    return round(seconds_of(text, "--latency", example=example) * 1e9)


def _from_0(value: Decimal, option: str) -> Decimal:
    if value < 0:
        raise InputError(f"{option} must not be negative, was {value}")
    return value


def _fraction(text: str, option: str) -> Decimal:
    """Read a fraction, or hundredths of a percent: 0.0005 is 5bp."""
    number = text.strip().lower()
    value = _number(number.removesuffix("bp"), option)
    value = value / 10_000 if number.endswith("bp") else value
    if not -1 < value < 1:
        raise InputError(f"{option} must be a fraction below 1, was {text!r}")
    return value


def _number(text: str, option: str) -> Decimal:
    try:
        value = Decimal(text.strip())
    except InvalidOperation:
        raise InputError(f"{option} must be a number, was {text!r}") from None
    if not value.is_finite():
        raise InputError(f"{option} must be a number, was {text!r}")
    return value


def _time(text: str, option: str) -> int:
    """Read a time; without a zone it is UTC."""
    try:
        read = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InputError(f"{option} takes a time such as 2025-05-04T12:30, was {text!r}") from None
    aware = read if read.tzinfo else read.replace(tzinfo=UTC)
    passed = aware - datetime(1970, 1, 1, tzinfo=UTC)
    if not timedelta(0) <= passed < YEARS_MAX:
        raise InputError(f"{option} takes a time from 1970 to 2200, was {text!r}")
    return passed // timedelta(microseconds=1) * 1_000
