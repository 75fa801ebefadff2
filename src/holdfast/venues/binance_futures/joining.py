"""Join the venue: its clock, its contracts, and an account that is set as we trade it.

One-way mode and a single margin asset are required, and not switched to unless that is asked
for: other positions may hang on them. Margin mode and leverage are set, for the symbols that we
trade alone. A leverage, or a margin mode, that an open position holds up is gone by: a position
that nobody looks after is worse than one with more leverage than was wished for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from ...model.errors import ConfigError, NetworkError, VenueError, VenueRefused
from ...model.instrument import TRADING, UNLISTED, Bracket, Instrument
from ...model.values import Symbol
from ..limits import Urgency
from . import codec
from .asking import SECOND_LOOK_S, Answered, Asker
from .codec import BadFrame, Call, Others, reads
from .codec.books import SymbolConfig
from .left_out import as_listed, refiltered, status_of
from .outcomes import Ask, Kind
from .settings import BinanceSettings
from .streams import Stream

TO_ONE_WAY = (
    "close all positions and orders, then choose it under Preferences, Position Mode, or set "
    "switch_to_one_way"
)
HEDGED = f"the account is in hedge mode; one-way mode is needed: {TO_ONE_WAY}"
MULTI_ASSETS = (
    "the account is in multi-assets mode; single-asset mode is needed: close cross "
    "positions and orders, then choose it under Preferences, Asset Mode; where there is no choice, "
    "as in the EU's credits mode (BNFCR), the account can't be traded"
)
WAYS_OUT = {
    -4047: "cancel the symbol's orders first, or trade it in the mode that it is in",
    -4048: "close the symbol's position first, or trade it in the mode that it is in",
    -4067: "cancel all orders of the account first",
    -4068: "close all positions of the account first",
    -4028: "the symbol does not allow so much",
    -4531: "the coin-margined side of the account can't follow: close its positions and orders",
}
"""What a person can do about a setting that was declined."""

BAD_KEY = -2015
PORTFOLIO_MARGIN = "; it refuses every key of a portfolio margin account, which can't be traded"

HELD_UP = (-2027, -2028, -4161)
"""What is open is too large for the leverage, is not covered by its margin, or is isolated."""

NOT_ALLOWED = (-4028, -4202, -4203, -4205, -4206, -4208, -4209, -4403)
"""The symbol, or the account, does not allow the leverage, whether something is open or not.

The venue lowers what it allows, for symbols, places and persons, also of those that trade.
"""

MODE_HELD_UP = (-4047, -4048)
"""The margin mode can't be changed: orders are open in the symbol, or a position is."""

SET_UP_S = 15.0
"""How long a contract that begins to trade is set up before it is taken for one that can't be."""

WAITS_MAX = 8
"""How often a stream is waited for while no room within the limits holds it up."""

_log = logging.getLogger("holdfast.venue")


async def check_clock(asker: Asker) -> None:
    """Measure the venue's time.

    Raises:
        NetworkError: it does not answer.
        VenueRefused: ours is so far off that it would refuse our orders.
    """
    await require(asker, reads.server_time())
    if not await asker.sync_clock():
        raise NetworkError("the venue does not tell its time")
    if asker.offset.is_off:
        raise VenueRefused(asker.offset.told)


async def check_account(asker: Asker, *, switch_to_one_way: bool = False) -> None:
    """See that the account may trade, one-way and with a single margin asset.

    Raises:
        VenueRefused: it may not, or is set otherwise; the text says what to do.
        NetworkError: there was no answer.
    """
    answered = await require(asker, reads.account_config())
    config = codec.account_config(answered.reply.body)
    if not config.can_trade:
        raise VenueRefused("the account may not trade: the key or the account is restricted")
    if config.dual_side_position:
        if not switch_to_one_way:
            raise VenueRefused(HEDGED)
        await change(asker, reads.set_hedge_mode(is_on=False))
    if config.multi_assets_margin:
        raise VenueRefused(MULTI_ASSETS)


class Joined(NamedTuple):
    """What a start has read: contracts with their leverage, in the order of the symbols.

    `left` are those that were traded before, with none. The same lists name them: nothing is asked
    for them, which a start would wait for.
    """

    traded: list[tuple[Instrument, int]]
    left: list[Instrument]


async def contracts(
    asker: Asker,
    settings: BinanceSettings,
    symbols: Sequence[Symbol],
    known: Mapping[Symbol, Instrument],
) -> Joined:
    """Read the contracts, and set margin mode and leverage of those that are traded.

    A contract that does not trade any more is taken as it is, so that what is open in others is
    looked after.

    Args:
        known: contracts that were traded before.

    Raises:
        ConfigError: none of the symbols is traded there, or one is not listed and was never known.
        VenueRefused: a setting was declined.
        NetworkError: there was no answer.
    """
    before = info = await _list_of(asker)
    asker.hear_limits(info.rate_limits)
    left = [made for symbol, made in known.items() if symbol not in symbols]
    is_news = any(status_of(info, made) != made.status for made in left)
    if is_news or not all(_trades(codec.listed(info, symbol)) for symbol in symbols):
        await asyncio.sleep(SECOND_LOOK_S)
        info = await _list_of(asker)
    rows = _rows(info, symbols, known)
    others = Others(frozenset(symbols), _log.warning)
    told = await require(asker, reads.leverage_brackets())
    brackets = codec.leverage_brackets(told.reply.body, others)
    told = await asker.read(reads.funding_info())
    hours = codec.funding_intervals(told.reply.body, others) if told.is_ok else {}
    found = []
    for symbol in symbols:
        row = rows[symbol]
        if row is None:
            found.append((unlisted(known[symbol]), settings.leverage_of(symbol)))
            continue
        made = codec.instrument(
            row,
            brackets=brackets.get(symbol, ()),
            fees=await _fees(asker, symbol, is_needed=_trades(row)),
            funding_interval_h=hours.get(symbol, codec.contracts.FUNDING_INTERVAL_H),
        )
        set_up = _set_up if made.is_trading else _leverage_as_it_is
        found.append((made, await set_up(asker, settings, symbol)))
    return Joined(found, [as_listed(made, before, info, brackets) for made in left])


async def _list_of(asker: Asker) -> codec.ExchangeInfo:
    return codec.exchange_info((await require(asker, reads.exchange_info())).reply.body)


def _trades(row: codec.ContractRow | None) -> bool:
    return row is not None and row.status == TRADING


def _rows(
    info: codec.ExchangeInfo, symbols: Sequence[Symbol], known: Mapping[Symbol, Instrument]
) -> dict[Symbol, codec.ContractRow | None]:
    """Return each symbol's row; None where it was known and is not listed any more."""
    rows = {symbol: codec.listed(info, symbol) for symbol in symbols}
    is_worth_it = any(map(_trades, rows.values()))
    for symbol, row in rows.items():
        if symbol in known or (is_worth_it and row is not None):
            continue
        codec.contract(info, symbol)  # says what is wrong with it
    return rows


def unlisted(known: Instrument) -> Instrument:
    """Return a contract that the venue does not list any more."""
    return msgspec.structs.replace(known, status=UNLISTED)


async def _fees(asker: Asker, symbol: Symbol, *, is_needed: bool) -> codec.Fees | None:
    """Read a symbol's commission rates; None where nothing is traded and nothing is told."""
    if is_needed:
        return codec.commission_rate(
            (await require(asker, reads.commission_rate(symbol))).reply.body
        )
    answered = await asker.read(reads.commission_rate(symbol))
    return codec.commission_rate(answered.reply.body) if answered.is_ok else None


async def _set_up(asker: Asker, settings: BinanceSettings, symbol: Symbol) -> int:
    """Set a symbol's margin mode and leverage where they differ; return the leverage."""
    answered = await require(asker, reads.symbol_config(symbol))
    rows = codec.symbol_configs(answered.reply.body)
    now = next((row for row in rows if row.symbol == symbol), None)
    if now is None or now.is_isolated is not settings.is_isolated:
        await _set_margin_mode(asker, settings, symbol, now)
    wanted = settings.leverage_of(symbol)
    if now is not None and now.leverage == wanted:
        return wanted
    try:
        answered = await change(asker, reads.set_leverage(symbol, wanted))
    except VenueRefused as error:
        if now is None or not await _is_held_up(asker, symbol, error.code):
            raise
        text = "%s: leverage %d is wanted, but what is open holds it at %d, which is gone by: %s"
        _log.warning(text, symbol, wanted, now.leverage, error)
        return now.leverage
    set_to = codec.leverage(answered.reply.body)
    if set_to != wanted:
        text = f"{symbol}: leverage {wanted} was asked for, the venue set {set_to}"
        if not await _is_in_use(asker, symbol):
            raise VenueRefused(text)
        _log.warning("%s, which is gone by: something is open", text)
    return set_to


async def set_up_late(asker: Asker, settings: BinanceSettings, symbol: Symbol) -> int | None:
    """Set up a contract that did not trade at the start; None, and a warning, where it can't be.

    It may not take for ever: before it is over, what is open there is not guarded.
    """
    try:
        async with asyncio.timeout(SET_UP_S):
            return await _set_up(asker, settings, symbol)
    except (VenueError, TimeoutError) as error:
        why = str(error) or f"no answer within {SET_UP_S:g} s"
        _log.warning("%s trades, and is not opened in: it can't be set up: %s", symbol, why)
        return None


async def _is_held_up(asker: Asker, symbol: Symbol, code: int | None) -> bool:
    """Tell whether a leverage was declined where something is open, which is to be looked after."""
    return await _is_in_use(asker, symbol) if code in NOT_ALLOWED else code in HELD_UP


async def _is_in_use(asker: Asker, symbol: Symbol) -> bool:
    """Tell whether a position, or an order in the book, is open in a symbol."""
    listed = (await require(asker, reads.positions())).reply.body
    return symbol in codec.in_use(listed, Others(frozenset({symbol}), _log.debug))


async def _leverage_as_it_is(asker: Asker, settings: BinanceSettings, symbol: Symbol) -> int:
    """Return the leverage of a contract that takes no settings any more."""
    answered = await asker.read(reads.symbol_config(symbol))
    if answered.is_ok:
        for row in codec.symbol_configs(answered.reply.body):
            if row.symbol == symbol:
                return row.leverage
    return settings.leverage_of(symbol)


async def _set_margin_mode(
    asker: Asker, settings: BinanceSettings, symbol: Symbol, now: SymbolConfig | None
) -> None:
    """Set a symbol to cross or isolated margin; one that an open position holds up is gone by."""
    try:
        await change(asker, reads.set_margin_type(symbol, is_isolated=settings.is_isolated))
    except VenueRefused as error:
        if now is None or error.code not in MODE_HELD_UP:
            raise
        _log.warning(
            "%s: its margin mode is held up by what is open, and gone by: %s", symbol, error
        )


async def change(asker: Asker, call: Call, urgency: Urgency = Urgency.RESOLVE) -> Answered:
    """Change a setting, unless it is so already.

    Raises:
        VenueRefused: the venue declined; the text says what to do where that is known.
        NetworkError: there was no answer.
    """
    answered = await asker.read(call, ask=Ask.SETTING, urgency=urgency)
    if answered.outcome.kind is not Kind.TREAT_AS_SUCCESS:
        raise refusal(answered, call)
    return answered


async def require(asker: Asker, call: Call, urgency: Urgency = Urgency.RESOLVE) -> Answered:
    """Ask what must be answered.

    Raises:
        NetworkError: it was not.
        VenueRefused: the venue declined.
    """
    answered = await asker.read(call, urgency=urgency)
    if not answered.is_ok:
        raise refusal(answered, call)
    return answered


def refusal(answered: Answered, call: Call) -> NetworkError | VenueRefused:
    """Return the error that a question without the wanted answer is."""
    outcome = answered.outcome
    about = ", ".join(f"{key} {value}" for key, value in call.params.items() if key != "listenKey")
    text = f"{call.route.verb} {call.route.path}{f' ({about})' if about else ''}: {outcome.reason}"
    if outcome.kind is Kind.STOP:
        why = PORTFOLIO_MARGIN if outcome.code == BAD_KEY else ""
        refused = f"the venue does not accept the API key ({text}){why}"
        return VenueRefused(refused, code=outcome.code)
    if outcome.kind is Kind.FINAL and answered.reply.was_sent and outcome.code is not None:
        way_out = WAYS_OUT.get(outcome.code, "")
        return VenueRefused(f"{text} {way_out}".rstrip(), code=outcome.code)
    return NetworkError(text, code=outcome.code)


async def filters(
    asker: Asker, known: Mapping[Symbol, tuple[Instrument, int]], *, has_key: bool = True
) -> list[tuple[Instrument, int]]:
    """Read filters and margin tables of known contracts anew; nothing where the venue tells none
    to go by.

    That one has stopped trading is believed when it is told twice: what is open there is left to
    the venue then.

    Args:
        has_key: without one, margin tables stay as they were: they are told to accounts alone.
    """
    found = await _filters(asker, known, has_key)
    if not any(made.status != known[made.symbol][0].status for made, _ in found):
        return found
    await asyncio.sleep(SECOND_LOOK_S)
    told = {made.symbol: made.status for made, _ in found}
    again = await _filters(asker, known, has_key)
    return [each for each in again if told[each[0].symbol] == each[0].status]


async def _filters(
    asker: Asker, known: Mapping[Symbol, tuple[Instrument, int]], has_key: bool
) -> list[tuple[Instrument, int]]:
    urgency = Urgency.AUDIT if has_key else Urgency.READ
    answered = await asker.read(reads.exchange_info(), urgency=urgency)
    if not answered.is_ok:
        return []
    try:
        info = codec.exchange_info(answered.reply.body)
        asker.hear_limits(info.rate_limits)
        if not info.contracts:
            return []  # an empty list is no word of a contract's end
        rows = {symbol: codec.listed(info, symbol) for symbol in known}
        tables = await _margin_tables(asker, known) if has_key else {}
        return [
            (unlisted(made) if row is None else refiltered(row, made, tables), leverage)
            for (made, leverage), row in zip(known.values(), rows.values(), strict=True)
        ]
    except (BadFrame, ConfigError):
        return []


async def _margin_tables(
    asker: Asker, known: Mapping[Symbol, object]
) -> dict[Symbol, tuple[Bracket, ...]]:
    """Read the margin tables, which the venue changes now and then; none where they can't be."""
    answered = await asker.read(reads.leverage_brackets(), urgency=Urgency.AUDIT)
    if not answered.is_ok:
        return {}
    try:
        return codec.leverage_brackets(answered.reply.body, Others(known, _log.debug))
    except BadFrame as error:
        _log.warning("the margin tables stay as they were: %s", error)
        return {}


async def until_up(stream: Stream, asker: Asker, patience_s: float) -> None:
    """Wait for a stream; longer while no room within the limits keeps its key from being asked for.

    Raises:
        NetworkError: it does not open in time.
    """
    for _ in range(WAITS_MAX):
        try:
            async with asyncio.timeout(patience_s):
                await stream.went_up.wait()
        except TimeoutError:
            if not asker.is_held:
                break
        else:
            return
    why = f": {stream.problem}" if stream.problem else ""
    raise NetworkError(f"the account's stream did not open in {patience_s:g} s{why}")
