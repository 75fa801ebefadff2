"""Contracts that stop trading: what is told of them, what still can be done, how they end.

Rule 1: in a contract that does not trade nothing is opened, and entries that rest there are taken
        back; what protects is kept, and put there as far as the venue takes it.
Rule 2: a position that the venue settled goes by two of its own words, the list of positions that
        does not name it any more and the ledger that says what it brought; never by a made-up fill.
"""

from __future__ import annotations

from ..model import commands as cmd
from ..model import events as ev
from ..model.instrument import UNLISTED, Instrument
from ..model.messages import InstrumentListed, SettlementPayment, VenueSnapshot
from ..model.values import ZERO, Key, Symbol
from .core import Core
from .forgetting import settled_name, trade_name
from .state import State

SETTLED = "settled by the venue"
"""The reason with which a settled position goes."""


def on_listed(core: Core, message: InstrumentListed) -> None:
    """Take a contract as the venue has it now, and tell a person where it does not trade."""
    instrument, key = message.instrument, (message.account, message.instrument.symbol)
    known, leverage = core.state.instruments.get(key), core.state.leverages.get(key)
    if instrument.status == UNLISTED:
        core.unlisted_ts.setdefault(key, core.now)
    else:
        core.unlisted_ts.pop(key, None)
    if (known, leverage) != (instrument, message.leverage):
        core.emit(
            ev.InstrumentDefined(
                ts=core.now,
                account=message.account,
                instrument=instrument,
                leverage=message.leverage,
            )
        )
    told = core.told_halts.get(key, "")
    core.told_halts[key] = "" if instrument.is_trading else instrument.status
    if not instrument.is_trading and told != instrument.status:
        _tell_halted(core, key, instrument)
    elif instrument.is_trading and known is not None and not known.is_trading:
        core.send(cmd.Notify(level="info", text=f"{instrument.symbol} is traded again"))


def _tell_halted(core: Core, key: Key, instrument: Instrument) -> None:
    held, orders = core.state.position(key).qty, core.state.open_orders_of(key)
    open_ones = f"{held:f} held, {len(orders)} orders open" if held or orders else "nothing is open"
    text = f"{halted(instrument)}: {open_ones}"
    core.alarm("contract_halted", text, key[0], key[1])


def halted(instrument: Instrument) -> str:
    """Say that a contract takes no new orders, and what the venue calls that."""
    if instrument.status == UNLISTED:
        return f"{instrument.symbol} is not listed at the venue any more"
    return f"{instrument.symbol} takes no new orders at the venue: it is {instrument.status}"


def is_stuck(state: State, key: Key) -> bool:
    """Tell whether a position can be neither closed nor guarded, by its contract's status."""
    instrument = state.instruments.get(key)
    return instrument is not None and not instrument.can_be_closed


def closable_keys(state: State) -> list[Key]:
    """Return the keys that have a position which can be closed."""
    return [key for key in state.open_keys() if not is_stuck(state, key)]


def on_settlement(core: Core, payment: SettlementPayment) -> None:
    """Book once what the end of a contract brought; what came with a fill is booked already."""
    seen = core.state.account(payment.account).changes_seen
    if payment.settlement_id in seen:
        return
    if payment.trade_id:
        trade = trade_name(payment.account, payment.symbol, payment.trade_id)
        is_of_fill = settled_name(payment.symbol, payment.trade_id) not in seen
        if trade in core.state.trades_seen and is_of_fill:
            return
    core.emit(
        ev.SettlementPaid(
            ts=core.now,
            account=payment.account,
            symbol=payment.symbol,
            amount=payment.amount,
            settlement_id=payment.settlement_id,
            asset=payment.asset,
            trade_id=payment.trade_id,
            is_fee=payment.is_fee,
            venue_ts=payment.venue_ts,
        )
    )


def take_settled(core: Core, snapshot: VenueSnapshot) -> None:
    """Let positions go that the venue has settled: see Rule 2."""
    theirs = {p.symbol for p in snapshot.positions if p.qty}
    for (account, symbol), position in tuple(core.state.positions.items()):
        if account != snapshot.account or symbol in theirs or not position.qty:
            continue
        if not position.settled_ts or position.settled_ts < position.traded_ts:
            continue
        text = f"{symbol}: the venue has settled {position.qty:f}"
        _let_go(core, (account, symbol))
        core.alarm("position_settled", text, account, symbol)


def _let_go(core: Core, key: Key) -> None:
    account, symbol = key
    core.emit(
        ev.PositionAdopted(
            ts=core.now,
            account=account,
            symbol=Symbol(symbol),
            qty=ZERO,
            entry_price=ZERO,
            reason=SETTLED,
        )
    )
