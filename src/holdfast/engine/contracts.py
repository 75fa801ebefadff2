"""Contracts that stop trading: what is told of them, what still can be done, how they end.

Rule 1: in a contract that does not trade, or that the venue settles soon, nothing is opened, and
        entries that rest there are taken back; what protects is kept, and put there as far as the
        venue takes it.
Rule 2: a position that the venue settled goes by two of its own words, the list of positions that
        does not name it any more and the ledger that says what it brought; never by a made-up fill.
"""

from __future__ import annotations

from ..model import commands as cmd
from ..model import events as ev
from ..model.instrument import UNLISTED, Instrument
from ..model.messages import InstrumentListed, SettlementPayment, VenueSnapshot
from ..model.values import NS_PER_S, ZERO, Key, Symbol, TradingSessionStatus
from .core import Core
from .endings import ending, halted
from .forgetting import settled_name, trade_name
from .order import Order
from .recognizing import count_unlisted
from .state import State

FILLS_LISTED_NS = 60 * NS_PER_S
"""How long fills that an order's end has named may still be listed once their contract is gone."""

ENDS = "contract_ends"

SETTLED = "settled by the venue"
"""The reason with which a settled position goes."""


def on_listed(core: Core, message: InstrumentListed) -> None:
    """Take a contract as the venue has it now, and tell a person where it does not trade."""
    instrument, key = message.instrument, (message.account, message.instrument.symbol)
    known, leverage = core.state.instruments.get(key), core.state.leverages.get(key)
    if known is None and core.state.is_left_out(key):
        return  # another account's, or nobody's
    asked = message.leverage or leverage or 1
    if instrument.status == UNLISTED:
        core.unlisted_ts.setdefault(key, core.now)
    else:
        core.unlisted_ts.pop(key, None)
    if (known, leverage) != (instrument, asked):
        core.emit(
            ev.InstrumentDefined(
                ts=core.now,
                account=message.account,
                instrument=instrument,
                leverage=asked,
            )
        )
    if _is_nobodys(core.state, key):
        return
    told = core.told_halts.get(key, "")
    core.told_halts[key] = "" if instrument.is_trading else instrument.status
    is_starting = core.state.status is TradingSessionStatus.STARTING
    if known is not None and not is_starting and known.delivery_ts != instrument.delivery_ts:
        _tell_ending(core, key, instrument)
    if not instrument.is_trading and told != instrument.status:
        _tell_halted(core, key, instrument)
    elif instrument.is_trading and known is not None and not known.is_trading:
        core.send(cmd.Notify(level="info", text=f"{instrument.symbol} is traded again"))


def _tell_halted(core: Core, key: Key, instrument: Instrument) -> None:
    text = f"{halted(instrument)}: {_open_ones(core.state, key)}"
    core.alarm("contract_halted", text, key[0], key[1])


def _is_nobodys(state: State, key: Key) -> bool:
    """Tell whether a contract is left out by the settings, with nothing open in it."""
    has_open = bool(state.position(key).qty or state.open_orders.get(key))
    return state.is_left_out(key) and not has_open


def _open_ones(state: State, key: Key) -> str:
    held, orders = state.position(key).qty, state.open_orders_of(key)
    return f"{held:f} held, {len(orders)} orders open" if held or orders else "nothing is open"


def tell_endings(core: Core) -> None:
    """Tell of each contract that the venue is about to settle, once."""
    for key in _untold_endings(core):
        _tell_ending(core, key, core.state.instruments[key])


def _untold_endings(core: Core) -> list[Key]:
    notice_ns, traded = core.settings.end_notice_ns, core.state.named_accounts
    return [
        key
        for key, each in core.state.instruments.items()
        if key[0] in traded
        and each.delivery_ts
        and each.is_trading
        and each.is_ending(core.now, notice_ns)
        and not _is_nobodys(core.state, key)
        if core.told.get((ENDS, *key)) != each.delivery_ts
    ]


def ending_due(core: Core) -> int | None:
    """Return when a contract's end is to be told of next; None where none is."""
    if _untold_endings(core):
        return 0
    notice_ns = core.settings.end_notice_ns
    begins = (
        each.delivery_ts - notice_ns
        for key, each in core.state.instruments.items()
        if not _is_nobodys(core.state, key)
    )
    return min((ts for ts in begins if ts > core.now), default=None)


def _tell_ending(core: Core, key: Key, instrument: Instrument) -> None:
    if not instrument.delivery_ts:
        core.send(cmd.Notify(level="info", text=f"{instrument.symbol} goes on: it is not settled"))
        return
    is_near = instrument.is_ending(core.now, core.settings.end_notice_ns)
    if is_near:
        core.told[ENDS, *key] = instrument.delivery_ts
    rule = "nothing is opened there any more" if is_near else "it can be closed until then"
    text = f"{ending(instrument)}, {rule}: {_open_ones(core.state, key)}"
    core.alarm("contract_ends", text, key[0], key[1])


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


def count_settled(core: Core, order: Order, asked_ts: int) -> None:
    """Count fills that an order's end has named, and that nobody lists any more, as the order's.

    Its contract is settled, and what they brought was in the venue's ledger.
    """
    is_settled = core.state.position(order.key).settled_ts > 0
    if is_settled and asked_ts > core.fence_after(order.known_ts) + FILLS_LISTED_NS:
        count_unlisted(core, order, order.reported_qty - order.cum_qty, "settled")


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
