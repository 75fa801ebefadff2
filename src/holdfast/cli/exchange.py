"""Run the simulated exchange on a port, for any program that speaks to Binance USD-M Futures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..model.errors import ConfigError
from .output import print_json
from .run import execute

if TYPE_CHECKING:
    from ..exchange_server import ApiKey, Server
    from ..exchange_server.faults import Rule

HIDDEN = "***"


def exchange(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 0,
    host: Annotated[str, typer.Option("--host", help="Where to listen.")] = "127.0.0.1",
    feed: Annotated[
        str,
        typer.Option(
            "--feed", help="synthetic, binance, none (POST /admin/market moves it), or files."
        ),
    ] = "synthetic",
    feed_url: Annotated[
        str,
        typer.Option(
            "--feed-url", envvar="HOLDFAST_EXCHANGE_FEED_URL", help="Another host for binance."
        ),
    ] = "",
    speed: Annotated[
        str, typer.Option("--speed", help="Feed time over wall time: 1, 60, max.")
    ] = "1",
    seed: Annotated[int, typer.Option("--seed", help="Of the synthetic feed and faults.")] = 0,
    symbols: Annotated[str, typer.Option("--symbols", help="BTCUSDT,ETHUSDT ...")] = "",
    balance: Annotated[
        str, typer.Option("--balance", help="USDT of an account when it is opened.")
    ] = "10000",
    account: Annotated[
        list[str] | None,
        typer.Option(
            "--account",
            help="KEY:SECRET, or KEY:@FILE with a public key. Repeatable. Default test:test.",
            show_default=False,
        ),
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Keep the books here; else they end with the process."),
    ] = None,
    faults: Annotated[
        Path | None, typer.Option("--faults", help="What is to go wrong: TOML or JSON.")
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            "--fault", help="KIND[:PROBABILITY][@PATTERN], such as delay:0.1@POST *. Repeatable."
        ),
    ] = None,
    strict_routing: Annotated[
        bool,
        typer.Option("--strict-routing", help="Streams on wrong paths are silent, as on mainnet."),
    ] = False,
    legacy_acks: Annotated[
        bool,
        typer.Option("--legacy-acks", help="Answer orders with avgPrice and cumQuote."),
    ] = False,
    own_child_names: Annotated[
        bool,
        typer.Option(
            "--own-child-names", help="Triggered conditional orders get client ids of their own."
        ),
    ] = False,
    unlimited: Annotated[
        bool, typer.Option("--unlimited", help="Count requests and orders, but refuse none for it.")
    ] = False,
    admin_token: Annotated[
        str,
        typer.Option("--admin-token", envvar="HOLDFAST_EXCHANGE_ADMIN_TOKEN", help="For /admin."),
    ] = "",
) -> int:
    """Run an exchange until Ctrl-C. When it is ready it prints one line of JSON with its URLs.

    An account is opened with its key's first mention; the default one is test, with secret test.
    """
    from decimal import Decimal

    from ..exchange_server import LimitSettings, ServerSettings, create_server, parse_account
    from ..feeds import FeedSettings, parse_speed
    from ..model.values import Symbol, to_decimal

    try:
        amount = to_decimal(balance, "balance")
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if amount < Decimal(0):
        raise ConfigError(f"balance must not be negative, was {balance}")
    names = tuple(Symbol(n.strip().upper()) for n in symbols.split(",") if n.strip())
    settings = ServerSettings(
        host=host,
        port=port,
        feed=FeedSettings(source=feed, seed=seed, speed=parse_speed(speed)),
        feed_url=feed_url,
        symbols=names,
        keys=tuple(parse_account(text) for text in account or []),
        balance=amount,
        limits=LimitSettings(weight_1m=0, orders_10s=0, orders_1m=0, funding_5m=0, statistics_5m=0)
        if unlimited
        else LimitSettings(),
        data_dir=data_dir,
        faults=faults,
        fault_rules=_rules(fault or []),
        fault_seed=seed,
        strict_routing=strict_routing,
        legacy_acks=legacy_acks,
        own_child_names=own_child_names,
        admin_token=admin_token,
    )
    return execute(serve(create_server(settings)))


async def serve(server: Server) -> int:
    """Run a server until it is interrupted.

    Raises:
        TradingError: it can't begin, or can't go on.
    """
    import asyncio
    import signal

    wish = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, wish.set)
    try:
        await server.start()
        print_json(_document(server))
        waiting = [loop.create_task(event.wait()) for event in (wish, server.failed)]
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        for each in waiting:
            each.cancel()
    finally:
        await server.stop()
    if server.failure is not None:
        raise server.failure
    return 0


def _document(server: Server) -> dict[str, object]:
    settings = server.settings
    return {
        "event": "ready",
        **server.urls,
        "symbols": list(server.venue.tapes),
        "accounts": [_account(key) for key in settings.all_keys()],
        "data_dir": None if settings.data_dir is None else str(settings.data_dir),
    }


def _account(key: ApiKey) -> dict[str, str]:
    """Show a key; its secret only where that is the one that everybody knows."""
    from ..exchange_server.settings import DEFAULT_KEY

    shown = DEFAULT_KEY if key.secret == key.key == DEFAULT_KEY else HIDDEN
    return {"account": key.account, "key": key.key, "secret": shown}


def _rules(texts: list[str]) -> tuple[Rule, ...]:
    """Read each KIND[:PROBABILITY][@PATTERN]."""
    from ..exchange_server.faults import rule_of

    return tuple(rule_of(text) for text in texts)
