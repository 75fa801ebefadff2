"""Run a trading session: options, what is shown meanwhile, and how it ended."""

from __future__ import annotations

import errno
import gc
import sys
from collections.abc import Callable, Coroutine, Mapping
from contextlib import ExitStack
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ..model.errors import ConfigError, InputError, TradingError
from ..model.values import TradingSessionStatus
from .allocator import give_large_blocks_back
from .exit_codes import UNFINISHED, ExitCode
from .options import AsJson, ConfigFile, DatabaseUrl, DataDir, without_password
from .output import print_json, warn

if TYPE_CHECKING:
    from ..model.config import LoadedConfig
    from ..runtime.service import LiveTradingService
    from .driving import Ending
    from .ending import Result
    from .happenings import View

DEFAULT_STRATEGY = "sma_cross"
T = TypeVar("T")

CLOSE = 0.4
"""How like a venue's name a mistake must be to be taken for it: names are long."""

_NOBODY_READS = (errno.EPIPE, errno.EIO)
"""What writing to a pipe, or to a terminal, says that was closed."""

SYNTHETIC_SPEED = 20.0
"""How fast a made-up market runs where nobody says: nothing is gained by waiting for it."""


def run(
    strategy: Annotated[
        list[str] | None,
        typer.Option(
            "--strategy", "-s", help="Name, name:parameter=value,... or FILE.py:Class. Repeatable."
        ),
    ] = None,
    symbols: Annotated[str | None, typer.Option("--symbols", help="BTCUSDT,ETHUSDT ...")] = None,
    feed: Annotated[
        str | None,
        typer.Option("--feed", help="synthetic, binance (live), or recorded: FILE, folder, glob."),
    ] = None,
    speed: Annotated[
        str | None, typer.Option("--speed", help="Feed time over wall time: 1, 60, max.")
    ] = None,
    for_: Annotated[
        str | None, typer.Option("--for", help="Stop after so much wall time: 60s, 5m, 2h.")
    ] = None,
    seed: Annotated[str | None, typer.Option("--seed", help="Of the synthetic feed.")] = None,
    balance: Annotated[
        str | None,
        typer.Option("--balance", "--initial-balance", help="Of a new simulated account."),
    ] = None,
    dry_run: Annotated[
        bool | None,
        typer.Option("--dry-run/--live", help="Simulated account, or the configured venue's."),
    ] = None,
    venue: Annotated[
        str | None, typer.Option("--venue", help="Whose account: paper, binance_futures.")
    ] = None,
    testnet: Annotated[
        bool | None,
        typer.Option("--testnet/--mainnet", help="Which of the venue's two markets. Testnet."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="Any setting: NAME=VALUE, as config show lists. Repeatable."),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option("--report", help="HTML report; else DATA_DIR/reports/SESSION.html."),
    ] = None,
    no_report: Annotated[bool, typer.Option("--no-report", help="Write no HTML report.")] = False,
    data_dir: DataDir = None,
    database_url: DatabaseUrl = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> int:
    """Run a session until its feed ends, its time is over, or Ctrl-C. A second Ctrl-C leaves at
    once; the next start picks up what was left.

    By default: the synthetic feed, the strategy sma_cross, a simulated account. With --venue: its
    live market and, unless --dry-run, the account there whose key the settings name.
    """
    try:
        flags = {
            "strategies": tuple(strategy) if strategy else None,
            "symbols": symbols,
            "feed": feed,
            "speed": _speed(speed),
            "seed": seed,
            "initial_balance": balance,
            "dry_run": dry_run,
            "venue": venue,
            "testnet": testnet,
            "data_dir": data_dir,
            "database_url": database_url,
        }
        overrides = overrides_of(settings, flags)
        seconds = None if for_ is None else seconds_of(for_, "--for")
        place = report and report.absolute()  # a strategy may go to another folder
        return _run(config, overrides, seconds, place, wants_report=not no_report, as_json=as_json)
    except (TradingError, OSError) as error:
        from .ending import failed_document

        error.document = failed_document()  # type: ignore[union-attr]  # told by entry.py
        raise


def _run(
    config: Path | None,
    overrides: dict[str, object],
    seconds: float | None,
    report: Path | None,
    *,
    wants_report: bool,
    as_json: bool,
) -> int:
    from ..model.config import TradingConfig
    from ..model.config_keys import secrets_of
    from ..runtime.logs import logging_to
    from ..runtime.proxies import unused_proxy

    loaded = TradingConfig.load(config, overrides=overrides)
    if loaded.config.feed == "synthetic" and loaded.source_of("speed") == "default":
        loaded = TradingConfig.load(config, overrides={**overrides, "speed": SYNTHETIC_SPEED})
    settings = loaded.config
    for check in CHECKS:
        check(loaded)
    for warning in filter(None, (*loaded.warnings, unused_proxy(settings))):
        warn(warning)
    with ExitStack() as stack:
        view, console_level = _view(as_json=as_json)
        redactor = stack.enter_context(
            logging_to(
                settings.log_dir,
                level=settings.log_level,
                console_level=console_level,
                hidden_loggers=() if as_json else ("holdfast.notices", "holdfast.session"),
                secrets=secrets_of(settings),
            )
        )
        give_large_blocks_back()
        service, ending = execute(_session(loaded, view, seconds, redactor.hide))
        from .ending import finish

        result = finish(service, ending, report, wants_report=wants_report)
    code = _exit_code(ending, service)
    _tell(result, code, as_json=as_json)
    return code


def _tell(result: Result, code: ExitCode, *, as_json: bool) -> None:
    """Tell how it ended; where nobody reads any more, entry.py ends with the code all the same."""
    try:
        if as_json:
            print_json(result.document)
        else:
            result.print()
            sys.stdout.flush()
    except OSError as error:
        if error.errno not in _NOBODY_READS:
            raise
        unread = BrokenPipeError()  # how a session ended does not depend on who reads it
        unread.exit_code = code  # type: ignore[attr-defined]  # entry.py ends with it
        raise unread from error


def _exit_code(ending: Ending, service: LiveTradingService) -> ExitCode:
    from .ending import books_code

    code = books_code(service.books)
    state = service.live.engine.state
    is_none_left = bool(state.stopped_strategies) and not state.strategies
    if ending.is_error or is_none_left:
        return ExitCode.SESSION_ERROR
    if code is ExitCode.OK and service.session().status is TradingSessionStatus.STOPPING:
        warn(UNFINISHED)
        return ExitCode.VENUE
    return code


async def _session(
    loaded: LoadedConfig,
    view: View,
    seconds: float | None,
    hide: Callable[[str], None],
) -> tuple[LiveTradingService, Ending]:
    from ..runtime.control import ControlServer
    from ..runtime.service import LiveTradingService
    from .driving import drive
    from .happenings import Happenings, TellingNotifier

    config = loaded.config
    happenings = Happenings()
    service = LiveTradingService(config=config, notifier=TellingNotifier(happenings))
    happenings.follow(service)
    happenings.listener = view.hear_early
    control = ControlServer(service, service.config.data_dir, config.control_port)
    hide(control.token)
    names = config.strategies or (DEFAULT_STRATEGY,)
    ending = await drive(service, control, view, happenings, strategies=names, seconds=seconds)
    return service, ending


def execute(work: Coroutine[Any, Any, T]) -> T:
    """Run on uvloop where there is one. Cyclic garbage is collected, if late: structs make none."""
    gc.set_threshold(50_000, 20, 50)
    try:
        import uvloop
    except ImportError:
        import asyncio

        return asyncio.run(work)
    return uvloop.run(work)


def _view(*, as_json: bool) -> tuple[View, str | None]:
    """Choose what is shown while the session runs, and what of the log the console gets."""
    from .happenings import Silent
    from .live_view import LiveView
    from .plain_view import PlainView

    if as_json:
        return Silent(), "WARNING"
    if sys.stdout.isatty() and sys.stdin.isatty():
        return LiveView(), None
    return PlainView(), "WARNING"


def check_venue(loaded: LoadedConfig) -> None:
    """See that the venue exists, and that who asks for a real account has named one.

    Raises:
        ConfigError: naming the place of the setting.
    """
    from ..venues import PAPER, VENUES

    venue, where = loaded.config.venue, loaded.source_of("venue")
    named = {where: venue}
    for name, account in loaded.config.accounts.items():
        named[loaded.source_of(f"accounts.{name}.venue")] = account.venue or venue
    for place, each in named.items():
        if each not in VENUES:
            close = get_close_matches(each, VENUES, n=1, cutoff=CLOSE)
            hint = f"; did you mean {close[0]}?" if close else ""
            known = ", ".join(VENUES)
            raise ConfigError(f"{place}: venue must be one of {known}, was {each!r}{hint}")
    if venue == PAPER and loaded.source_of("dry_run") == "--dry-run" and not loaded.config.dry_run:
        others = " or ".join(f"--venue {name}" for name in VENUES if name != PAPER)
        raise ConfigError(f"--live needs a real venue, and venue is paper ({where}): {others}")


def check_rules(loaded: LoadedConfig) -> None:
    """See that no rule is switched off that does not exist, or that nothing may go without.

    Raises:
        ConfigError: naming the place of the setting.
    """
    from ..runtime.assembly import check_disabled_rules

    try:
        check_disabled_rules(loaded.config)
    except ConfigError as error:
        raise ConfigError(f"{loaded.source_of('disabled')}: {error}") from None


def check_symbols(loaded: LoadedConfig) -> None:
    """See that a made-up market is not asked for symbols that nobody lists.

    Raises:
        ConfigError: naming the place of the setting.
    """
    from ..feeds.known import check_known

    config = loaded.config
    if config.feed == "synthetic" and not config.invented_symbols:
        check_known(config.symbols, loaded.source_of("symbols"))


CHECKS: tuple[Callable[[LoadedConfig], None], ...] = (check_venue, check_symbols, check_rules)
"""What a start asks of the settings beside that they hold together."""


def overrides_of(settings: list[str] | None, flags: Mapping[str, object]) -> dict[str, object]:
    """Put the texts of --set and the flags that were given together; a flag wins."""
    from ..model.config_fields import ALIASES, SECRETS

    pairs = _pairs(settings or [])
    for name in pairs:
        last = name.rpartition(".")[2]
        if ALIASES.get(last, last) in SECRETS:  # without the value
            raise ConfigError(
                f"--set takes no {name}, because every user of this machine can read a command "
                f"line; put it into the environment, .env, or a file of mode 0600"
            )
    without_password(pairs.get("database_url"), "--set database_url")
    given = {name: value for name, value in flags.items() if value is not None}
    return {**pairs, **given}


def _pairs(settings: list[str]) -> dict[str, str]:
    parts = [text.partition("=") for text in settings]
    for name, sign, _ in parts:
        if not sign or not name.strip():
            raise InputError(f"--set takes NAME=VALUE, such as leverage=3, was {name!r}")
    given: dict[str, str] = {}
    for key, value in ((_key(name.strip()), value) for name, _, value in parts):
        if given.setdefault(key, value) != value:
            raise InputError(f"--set was given {key} twice, with two values: leave one of them out")
    return given


def _key(name: str) -> str:
    """Return a setting's one name, without its section; an account's keeps its account."""
    from ..model.config_accounts import is_of_account
    from ..model.config_fields import ALIASES

    last = name.rpartition(".")[2]
    return name if is_of_account(name) else ALIASES.get(last, last)


def _speed(text: str | None) -> float | None:
    if text is None:
        return None
    from ..feeds import parse_speed

    return parse_speed(text)


def seconds_of(text: str, option: str, *, example: str = "60s, 5m or 2h") -> float:
    """Read a length of time such as 60s, 5m or 2h."""
    units = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
    number, unit = text.strip(), "s"
    for name in units:  # "ms" before "s": the first that fits
        if number.endswith(name):
            number, unit = number.removesuffix(name), name
            break
    try:
        seconds = float(number) * units[unit]
    except ValueError:
        seconds = -1.0
    if not 0 < seconds < 1e9:
        raise InputError(f"{option} takes a time such as {example}, was {text!r}")
    return seconds
