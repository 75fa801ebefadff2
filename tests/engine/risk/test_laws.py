"""The worst case, reckoned a second time from a book of our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from hypothesis import event, given, settings
from hypothesis import strategies as st

from holdfast.engine.risk import first_refusal
from holdfast.model.events import OrderReplaced
from holdfast.model.values import ZERO, NewOrder, OrderType, Side, Symbol
from tests.engine.risk.desk import BTC, ETH, SOL, START, Desk

SYMBOLS = (BTC, ETH, SOL, Symbol("XRPUSDT"))
MARKS = {BTC: Decimal(100), ETH: Decimal(50), SOL: Decimal(20), SYMBOLS[3]: Decimal(10)}
LEVERAGES = {BTC: 10, ETH: 5, SOL: 2, SYMBOLS[3]: 1}
DEPOSIT = Decimal(10_000)


@dataclass
class Working:
    """An order as the second book has it."""

    order: NewOrder
    left: Decimal
    price: Decimal  # the highest it was ever asked at; zero at the market
    cum: Decimal = ZERO
    asked: Decimal = ZERO  # the larger quantity of an amendment under way
    seen: list[Decimal] = field(default_factory=list)  # positions since it was sent


@dataclass
class Book:
    """Signed positions at their entry price, and orders: arithmetic and nothing else."""

    positions: dict[Symbol, Decimal] = field(default_factory=dict)
    entries: dict[Symbol, Decimal] = field(default_factory=dict)
    orders: list[Working] = field(default_factory=list)

    @property
    def equity(self):
        held = self.positions.items()
        return DEPOSIT + sum((q * (MARKS[s] - self.entries[s]) for s, q in held), ZERO)

    def notional(self, symbol, extra: NewOrder):
        """Return a symbol's worst case with one more order, which counts on its own symbol."""
        new = Working(extra, extra.qty, extra.price or extra.trigger_price or ZERO)
        mine = [w for w in [*self.orders, new] if w.order.symbol == symbol]
        opening = [w for w in mine if not w.order.reduce_only]
        price = max([MARKS[symbol], *(w.price for w in opening)])
        worst = ZERO
        for side in Side:  # every order of this side fills, and no other but exits of this side
            held = self.positions.get(symbol, ZERO) * side.sign
            exits = [w for w in mine if w.order.side is side and w.order.reduce_only]
            # Each may have closed, unheard, what was once there on the other side.
            most = [max(ZERO, *(-seen * side.sign for seen in w.seen)) for w in exits if w.seen]
            parts = (min(w.left, m) for w, m in zip(exits, most, strict=True))
            position = held + min(sum(parts, ZERO), max(most, default=ZERO))
            worst = max(
                worst, position + sum((w.left for w in opening if w.order.side is side), ZERO)
            )
        return max(worst, abs(self.positions.get(symbol, ZERO))) * price


def build(limits):
    desk = Desk(symbols=(), equity=DEPOSIT, **limits)
    for symbol in SYMBOLS:
        desk.define(symbol, leverage=LEVERAGES[symbol], brackets=())
        desk.trade(symbol, float(MARKS[symbol]))
    return desk


quantities = st.decimals(min_value="0.1", max_value="60", places=1)
offsets = st.sampled_from([None, "0.98", "1", "1.02"])
proposals = st.tuples(
    st.sampled_from(SYMBOLS), st.sampled_from(Side), quantities, offsets, st.booleans()
)
put = st.tuples(st.sampled_from(["rest", "send", "doubt"]), proposals, st.booleans())
hold = st.tuples(st.just("hold"), st.sampled_from(SYMBOLS), st.integers(-40, 40))
touch = st.tuples(
    st.sampled_from(["fill", "amend", "settle", "cancel"]), st.integers(0, 9), quantities
)
histories = st.tuples(st.lists(hold, max_size=3), st.lists(put | touch, max_size=14))
limit_sets = st.fixed_dictionaries(
    {
        "position_size_pct": st.sampled_from([Decimal("0.05"), Decimal("0.1"), Decimal("0.5")]),
        "max_leverage": st.sampled_from([Decimal("0.2"), Decimal("0.5"), Decimal(10)]),
        "min_free_margin_pct": st.sampled_from([Decimal("0.2"), Decimal("0.9")]),
        "max_positions": st.integers(1, 4),
    }
)


def propose(desk, proposal, *, reduce_only=False):
    symbol, side, qty, offset, waits = proposal
    price = None if offset is None else MARKS[symbol] * Decimal(offset)
    if waits and price is not None:
        return desk.order(
            side,
            qty,
            symbol=symbol,
            reduce_only=reduce_only,
            order_type=OrderType.STOP_MARKET,
            trigger_price=price,
        )
    return desk.order(side, qty, price, symbol=symbol, reduce_only=reduce_only)


def enact(desk, book, step):
    match step:
        case ("hold", symbol, qty):
            desk.hold(symbol, qty, MARKS[symbol] + 1)
            book.positions[symbol], book.entries[symbol] = Decimal(qty), MARKS[symbol] + 1
        case ("rest" | "send" | "doubt" as how, proposal, reduce_only):
            order = propose(desk, proposal, reduce_only=reduce_only)
            getattr(desk, how)(order)
            working = Working(order, order.qty, order.price or order.trigger_price or ZERO)
            working.seen.append(book.positions.get(order.symbol, ZERO))
            book.orders.append(working)
        case (how, number, qty) if book.orders:
            working = book.orders[number % len(book.orders)]
            CHANGES[how](desk, book, working, qty)


def fill(desk, book, working, qty):
    """Fill at the entry price or the mark, so that no fill moves equity."""
    order, symbol = working.order, working.order.symbol
    qty = min(qty, working.left)
    before = book.positions.get(symbol, ZERO)
    signed = qty * order.side.sign
    if before and before * (before + signed) <= 0:
        return  # turning would need a profit; `hold` makes every sign of position already
    price = book.entries.get(symbol, MARKS[symbol]) if before else MARKS[symbol]
    desk.fill(order, qty, price)
    book.positions[symbol], book.entries[symbol] = before + signed, price
    for each in book.orders:
        if each.order.symbol == symbol:
            each.seen.append(before + signed)
    working.left -= qty
    working.cum += qty
    if not working.left:
        book.orders.remove(working)


def amend(desk, book, working, qty):
    order = working.order
    if order.order_type is not OrderType.LIMIT or working.asked or qty <= working.cum:
        return
    desk.ask_replace(order, qty, order.price + 1)
    working.asked = qty
    working.left = max(working.cum + working.left, qty) - working.cum
    working.price = max(working.price, order.price + 1)


def settle(desk, book, working, qty):
    """Let the venue confirm an amendment: the asked quantity and price are the order's now."""
    order = working.order
    if not working.asked or working.asked <= working.cum:
        return
    price = order.price + 1
    desk.tell(OrderReplaced(ts=desk.now, cl_ord_id=order.cl_ord_id, qty=working.asked, price=price))
    working.left, working.price = working.asked - working.cum, price
    working.asked = Decimal(-1)  # not amended a second time
    if not working.left:
        book.orders.remove(working)


def cancel(desk, book, working, qty):
    desk.cancel(working.order)
    book.orders.remove(working)


CHANGES = {"fill": fill, "amend": amend, "settle": settle, "cancel": cancel}


@settings(max_examples=200)
@given(histories, limit_sets, proposals)
def test_verdicts_are_those_of_an_independent_reckoning(history, limits, proposal):
    desk, book = build(limits), Book()
    for step in [*history[0], *history[1]]:
        enact(desk, book, step)
    order = propose(desk, proposal)
    assert desk.exposure.equity(order.account, "USDT") == book.equity

    notionals = {symbol: book.notional(symbol, order) for symbol in SYMBOLS}
    equity = book.equity
    tied = sum((n / LEVERAGES[s] for s, n in notionals.items()), ZERO)
    holds = {
        "position_size": notionals[order.symbol] <= limits["position_size_pct"] * equity,
        "leverage": sum(notionals.values(), ZERO) <= limits["max_leverage"] * equity,
        "margin": equity - tied >= limits["min_free_margin_pct"] * equity,
        "max_positions": sum(1 for n in notionals.values() if n) <= limits["max_positions"],
    }
    verdicts = {v.rule: v.passed for v in desk.assess(order)}
    assert {rule: verdicts[rule] for rule in holds} == holds
    event("all hold" if all(holds.values()) else "one is broken")


ATTEMPTS = st.lists(
    st.tuples(proposals, st.sampled_from(["rest", "send", "doubt"]), st.integers(0, 3)),
    min_size=1,
    max_size=20,
)
OTHER_RULES = ("duplicate", "message_throttle", "execution_throttle", "correlation")


@settings(max_examples=200)
@given(ATTEMPTS, limit_sets, st.lists(st.tuples(st.integers(0, 19), quantities), max_size=20))
def test_orders_that_passed_break_no_limit_whichever_of_them_fill(attempts, limits, fills):
    desk = build(limits | {"disabled": OTHER_RULES})
    sent = []
    for proposal, how, _ in attempts:
        symbol, side, qty, _, _ = proposal
        order = propose(desk, (symbol, side, qty, None, False))
        if first_refusal(desk.assess(order)) is None:
            getattr(desk, how)(order)
            sent.append([order, order.qty])
    event(f"{min(len(sent), 5)} orders or more sent")
    for number, most in fills:
        if not sent:
            break
        order, left = sent[number % len(sent)]
        qty = min(most, left)
        if qty:
            desk.fill(order, qty, MARKS[order.symbol])
            sent[number % len(sent)][1] -= qty
        assert_within(desk, limits)


def assert_within(desk, limits):
    held = {s: abs(desk.state.position(("main", s)).qty) * MARKS[s] for s in SYMBOLS}
    assert max(held.values()) <= limits["position_size_pct"] * DEPOSIT
    assert sum(held.values()) <= limits["max_leverage"] * DEPOSIT
    tied = sum(n / LEVERAGES[s] for s, n in held.items())
    assert DEPOSIT - tied >= limits["min_free_margin_pct"] * DEPOSIT
    assert sum(1 for n in held.values() if n) <= limits["max_positions"]
    assert desk.now == START
