from datetime import timedelta
from html.parser import HTMLParser

import pytest

from holdfast.model import events as ev
from holdfast.model.errors import InputError
from holdfast.model.market import Bar
from holdfast.model.signal import SignalGenerated
from holdfast.model.values import IntentId, OrderStatus, SessionId, Side, SignalType, StrategyId
from holdfast.runtime.report import text_report, write_report
from holdfast.runtime.report_charts import CANDLES_MAX
from holdfast.runtime.report_rows import ROWS_MAX, collect
from holdfast.stats import SessionFold, SessionStats, fold_session
from tests.stats.ledger import BTC, ETH, SMA, D, Ledger

HOSTILE = "</script><script>alert(1)</script><img src=x onerror=alert(2)>"


class Page(HTMLParser):
    """The elements of a page and the text that a reader sees."""

    def __init__(self, html):
        super().__init__()
        self.elements, self.links, self.text, self.scripts = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.elements.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href")]
        assert not [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        inside = self.elements[-1]
        (self.scripts if inside in ("script", "style") else self.text).append(data)


def session(name="sma_cross", reason="notional 11 > 10"):
    strategy = StrategyId(name)
    ledger = Ledger("session-7")
    ledger.deposit("10000")
    ledger.equity("10000", after_s=0)
    for side, price in ((Side.BUY, "100"), (Side.SELL, "130"), (Side.BUY, "120")):
        order = ledger.submit(side, "1", strategy=strategy)
        ledger.add(ev.OrderAccepted, cl_ord_id=order.cl_ord_id)
        ledger.fill(side, "1", price, cl_ord_id=order.cl_ord_id, fee="0.5")
        ledger.equity("10010")
    denied = ledger.submit(Side.BUY, "9", strategy=strategy)
    ledger.add(ev.OrderDenied, order=denied, rule="max_notional", reason=reason, verdicts=())
    ledger.add(ev.AlarmRaised, code="stale", text=reason)
    return ledger


def written(tmp_path, facts, **options):
    path = tmp_path / "reports" / "r.html"
    stats = write_report(path, facts, **options)
    return Page(path.read_text(encoding="utf-8")), stats


def test_it_is_one_file_that_asks_nothing_of_the_network(tmp_path):
    page, _ = written(tmp_path, session().facts)

    assert page.links == []
    assert not {"link", "img", "iframe"} & set(page.elements)
    assert "meta" in page.elements
    html = (tmp_path / "reports" / "r.html").read_text(encoding="utf-8")
    assert "content=\"default-src 'none';" in html
    assert '"showSendToCloud": false' in html


def test_it_shows_figures_charts_and_tables(tmp_path):
    page, stats = written(tmp_path, session().facts, title="Sunday")
    text = " ".join(page.text)

    assert stats == fold_session(session().facts)
    for shown in (
        "Sunday", "session-7", "Profit factor", "Equity and drawdown", "BTCUSDT", "Round trips",
        "+29.00", "Denied, by rule", "max_notional", "notional 11 &gt; 10".replace("&gt;", ">"),
        "Orders", "filled", "Alarms", "stale",
    ):  # fmt: skip
        assert shown in text
    assert "drawdown %" in "".join(page.scripts)
    assert "triangle-up" in "".join(page.scripts)


def test_it_says_what_was_traded_with_which_parameters_and_where(tmp_path):
    ledger = session()
    for name, given in (("sma_cross", "sma_cross:fast=5,slow=20"), ("rsi", "rsi:period=14")):
        ledger.add(ev.StrategyStarted, strategy_id=StrategyId(name), description=given)

    page, _ = written(tmp_path, ledger.facts, lines=["Latency 50 ms each way"])

    head = page.text[: page.text.index("Total P&L")]
    assert "sma_cross:fast=5,slow=20, rsi:period=14 on BTCUSDT, ETHUSDT, venue paper" in head
    assert "Latency 50 ms each way" in head


def test_what_needs_a_person_stands_above_the_charts(tmp_path):
    page, _ = written(tmp_path, session().facts)

    assert page.text.index("Alarms") < page.text.index("Equity and drawdown")


def test_a_hostile_name_is_shown_and_does_not_run(tmp_path):
    tame, _ = written(tmp_path, session().facts)
    hostile, _ = written(tmp_path, session(HOSTILE, HOSTILE).facts, title=HOSTILE)

    assert hostile.elements == tame.elements
    assert " ".join(hostile.text).count(HOSTILE) >= 6
    assert not [script for script in hostile.scripts if "<script>alert" in script]


def test_bars_are_drawn_as_candles_and_very_many_as_a_line(tmp_path):
    def bars(count):
        return [
            Bar(symbol=BTC, timeframe="1s", open_ts=n, ts=n + 1, open=1, high=2, low=1, close=2,
                volume=1)
            for n in range(count)
        ]  # fmt: skip

    few, _ = written(tmp_path, session().facts, bars={BTC: bars(3), ETH: bars(3)})
    many, _ = written(tmp_path, session().facts, bars={BTC: bars(CANDLES_MAX + 1)})

    assert sum('"type":"candlestick"' in script for script in few.scripts) == 2
    assert sum('"type":"candlestick"' in script for script in many.scripts) == 0
    assert "ETHUSDT" in few.text


def test_a_session_in_which_nothing_happened_has_a_report(tmp_path):
    page, stats = written(tmp_path, [])

    assert stats.total_trades == 0
    assert "table" not in page.elements
    assert "0.00" in page.text


def test_a_session_that_is_not_there_is_an_error_and_no_file(tmp_path):
    path = tmp_path / "r.html"

    with pytest.raises(InputError, match="no session 'none'"):
        write_report(path, session().facts, session_id=SessionId("none"))

    assert not path.exists()


def test_a_place_that_can_not_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(InputError, match=r"r\.html: the report can't be written"):
        write_report(tmp_path / "file" / "r.html", [])


def test_only_the_sessions_own_rows_are_shown():
    ledger = session()
    ledger.epoch("next")
    ledger.submit(Side.SELL, "1")

    _, last = collect(ledger.facts, None)
    _, first = collect(ledger.facts, SessionId("session-7"))

    assert (len(last.orders), len(last.fills), len(last.denials)) == (1, 0, 0)
    assert (len(first.orders), len(first.fills), len(first.denials)) == (4, 3, 1)
    assert len(first.trips) == 1


def test_long_tables_keep_the_newest_and_say_so(tmp_path):
    ledger = Ledger()
    for _ in range(ROWS_MAX + 5):
        last = ledger.submit(Side.BUY, "1")

    page, _ = written(tmp_path, ledger.facts)
    text = " ".join(page.text)

    assert f"Orders (the newest {ROWS_MAX:,} of {ROWS_MAX + 5:,})" in text
    assert last.cl_ord_id in text


ENDS = [
    (ev.OrderCanceled, {"reason": "operator"}, "CANCELED"),
    (ev.OrderExpired, {"reason": "GTD"}, "EXPIRED"),
    (ev.OrderRejected, {"reason": "-2019"}, "REJECTED"),
    (ev.OrderNeverArrived, {}, "NEVER_ARRIVED"),
]


@pytest.mark.parametrize(("kind", "fields", "status"), ENDS)
def test_an_orders_row_follows_it_to_its_end(kind, fields, status):
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "3")
    ledger.add(ev.OrderInDoubt, cl_ord_id=order.cl_ord_id, fence_ts=1, reason="timeout")
    ledger.add(kind, cl_ord_id=order.cl_ord_id, **fields)

    _, rows = collect(ledger.facts, None)

    row = rows.orders[order.cl_ord_id]
    assert (row.status, row.reason) == (status, fields.get("reason", "in doubt: timeout"))


def test_an_orders_row_counts_fills_even_after_the_cancel():
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "3")
    ledger.add(ev.OrderAccepted, cl_ord_id=order.cl_ord_id)
    ledger.buy("1", "100", cl_ord_id=order.cl_ord_id)
    _, part = collect(ledger.facts, None)
    ledger.add(ev.OrderCanceled, cl_ord_id=order.cl_ord_id)
    ledger.buy("1", "110", cl_ord_id=order.cl_ord_id)
    _, late = collect(ledger.facts, None)
    ledger.buy("1", "111", cl_ord_id=order.cl_ord_id)
    _, whole = collect(ledger.facts, None)

    assert [r.orders[order.cl_ord_id].status for r in (part, late, whole)] == [
        "PARTIALLY_FILLED", "CANCELED", "FILLED",
    ]  # fmt: skip
    assert late.orders[order.cl_ord_id].avg_px == 105
    assert whole.orders[order.cl_ord_id].avg_px == 107


def test_what_an_adopted_order_filled_before_has_no_price():
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "3")
    ledger.facts.clear()
    ledger.add(
        ev.OrderAdopted, order=order, venue_order_id="9", status=OrderStatus.NEW, cum_qty=D(1),
        is_ours=True,
    )  # fmt: skip
    _, adopted = collect(ledger.facts, None)
    ledger.buy("2", "100", cl_ord_id=order.cl_ord_id)
    _, filled = collect(ledger.facts, None)

    assert adopted.orders[order.cl_ord_id].avg_px is None
    assert filled.orders[order.cl_ord_id].avg_px == 100
    assert filled.orders[order.cl_ord_id].status == "FILLED"


def test_an_amended_orders_row_shows_what_it_became():
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "10")
    ledger.add(ev.OrderAccepted, cl_ord_id=order.cl_ord_id)
    ledger.buy("2", "100", cl_ord_id=order.cl_ord_id)
    ledger.add(ev.OrderReplaced, cl_ord_id=order.cl_ord_id, qty=D(5), price=D(99))
    _, amended = collect(ledger.facts, None)
    ledger.buy("3", "99", cl_ord_id=order.cl_ord_id)
    _, filled = collect(ledger.facts, None)
    ledger.add(ev.OrderReplaced, cl_ord_id=order.cl_ord_id, qty=D(5), price=D(98))
    _, late = collect(ledger.facts, None)

    row = amended.orders[order.cl_ord_id]
    assert (row.order.qty, row.order.price, row.status) == (D(5), D(99), "PARTIALLY_FILLED")
    assert filled.orders[order.cl_ord_id].status == "FILLED"
    assert late.orders[order.cl_ord_id].status == "FILLED"


def test_an_order_that_is_amended_to_what_was_filled_is_filled():
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "10")
    ledger.buy("2", "100", cl_ord_id=order.cl_ord_id)
    ledger.add(ev.OrderReplaced, cl_ord_id=order.cl_ord_id, qty=D(2), price=D(99))

    _, rows = collect(ledger.facts, None)

    assert rows.orders[order.cl_ord_id].status == "FILLED"


def test_adopted_orders_and_denied_wishes_are_shown():
    ledger = Ledger()
    order = ledger.submit(Side.BUY, "3")
    _, empty = collect([], None)
    ledger.facts.clear()
    ledger.add(
        ev.OrderAdopted, order=order, venue_order_id="9", status=OrderStatus.NEW, cum_qty=D(1),
        is_ours=True,
    )  # fmt: skip
    wish = SignalGenerated(symbol=ETH, signal_type=SignalType.CLOSE, strategy_id=SMA)
    ledger.add(ev.SignalReceived, intent_id=IntentId("1"), signal=wish)
    for intent in ("1", "unheard"):
        ledger.add(ev.SignalDenied, intent_id=IntentId(intent), rule="flat", reason="no position")

    _, rows = collect(ledger.facts, None)

    assert not empty.orders
    assert rows.orders[order.cl_ord_id].status == "NEW"
    assert [(d.what, d.strategy) for d in rows.denials] == [
        ("CLOSE ETHUSDT", "sma_cross"),
        ("", ""),
    ]


def test_the_text_for_the_terminal_lines_up():
    text = text_report(fold_session(session().facts))
    lines = text.splitlines()

    assert lines[0] == "Session session-7"
    assert "  Trades                                 1" in lines
    assert "  Total P&L                         +28.50" in lines
    assert len({len(line) for line in lines[1:19]}) == 1
    assert any(line.startswith("sma_cross") and "+29.00" in line for line in lines)
    assert any(line.startswith("BTCUSDT") for line in lines)
    assert lines[-1].split() == ["max_notional", "1", "notional", "11", ">", "10"]


def test_the_text_of_nothing_is_defined():
    assert "Profit factor" in text_report(fold_session([]))


@pytest.mark.parametrize(("days", "shown"), [(0.9, "n/a"), (2, "-1.")])
def test_ratios_of_a_year_are_not_made_of_minutes(days, shown):
    text = text_report(
        SessionStats(duration=timedelta(days=days), sharpe_ratio=-1.5, sortino_ratio=-1.7)
    )

    for name in ("Sharpe", "Sortino"):
        (line,) = [line for line in text.splitlines() if name in line]
        assert shown in line


def test_a_denial_is_shown_with_its_last_reason():
    text = text_report(fold_session(session(reason="notional 11 > 10").facts))

    assert "max_notional               1  notional 11 > 10" in text


def test_a_report_of_a_sessions_own_facts_is_that_of_the_whole_journal(tmp_path):
    """What the session before has left open is closed in it."""
    ledger = session()
    begun = len(ledger.facts)
    ledger.epoch("session-8")
    ledger.fill(Side.SELL, "1", "140", cl_ord_id=ledger.submit(Side.SELL, "1").cl_ord_id)
    ledger.equity("10050")
    before = SessionFold(SessionId("session-8"))
    for fact in ledger.facts[:begun]:
        before.apply(fact)

    wanted = {"session_id": SessionId("session-8")}
    whole, figures = written(tmp_path, ledger.facts, **wanted)
    own, same = written(tmp_path, ledger.facts[begun:], before=before.rest(), **wanted)

    assert own.text == whole.text
    assert same == figures
    assert figures.total_trades == 1


def bars_at(count):
    return [
        Bar(symbol=BTC, timeframe="1s", open_ts=n, ts=n + 1, open=1, high=2, low=1, close=2,
            volume=1)
        for n in range(count)
    ]  # fmt: skip


def test_a_symbol_with_neither_bars_nor_fills_has_no_empty_chart(tmp_path):
    page, _ = written(tmp_path, session().facts, bars={BTC: bars_at(3), ETH: []})
    assert page.text.count("BTCUSDT") > 0
    assert sum('"type":"candlestick"' in script for script in page.scripts) == 1
    assert sum('"name":"Bought"' in script for script in page.scripts) == 1


def test_the_axes_say_in_what_and_the_page_too(tmp_path):
    page, _ = written(tmp_path, session().facts, bars={BTC: bars_at(3)})
    scripts = "".join(page.scripts)
    assert '"text":"price, USDT"' in scripts
    assert '"text":"equity, USDT"' in scripts
    assert "Money in USDT" in page.text


@pytest.mark.parametrize(("count", "size"), [(4, 11), (400, 7), (900, 4)])
def test_many_marks_are_small_for_the_price_behind_them(tmp_path, count, size):
    ledger = Ledger("session-7")
    ledger.deposit("10000")
    order = ledger.submit(Side.BUY, str(count))
    for _ in range(count):
        ledger.fill(Side.BUY, "1", "100", cl_ord_id=order.cl_ord_id)
    page, _ = written(tmp_path, ledger.facts, bars={BTC: bars_at(3)})
    assert f'"size":{size}' in "".join(script for script in page.scripts if "Bought" in script)


def test_what_there_are_no_trades_for_is_not_said_to_be_nothing(tmp_path):
    facts = Ledger("session-7")
    facts.deposit("10000")
    facts.equity("10000", after_s=0)
    page, stats = written(tmp_path, facts.facts)
    shown = dict(zip(page.text, page.text[1:], strict=False))
    names = ("Win rate", "Profit factor", "Expectancy", "Best trade", "Worst trade")
    for name in (*names, "Order to venue, median"):
        assert shown[name] == "n/a", name
        assert f"{name}  n/a".split() == next(
            line.split()
            for line in text_report(stats).splitlines()
            if line.strip().startswith(name)
        )


def test_no_amount_is_less_than_nothing_by_a_sign_alone():
    text = text_report(SessionStats(total_pnl=D("-0.001"), fees=D("-0.001")))
    assert "-0.00" not in text


def test_rows_that_do_not_make_up_the_total_say_why(tmp_path):
    """Positions that were taken over were paid for by an earlier session in part."""
    ledger = session()
    page, stats = written(tmp_path, ledger.facts)
    of_trips = sum(part.net_pnl for part in stats.by_strategy.values())
    assert of_trips != stats.total_pnl
    said = f"The rows add up to {of_trips:+,.2f}, the total is {stats.total_pnl:+,.2f}"
    assert said in " ".join(page.text)
    assert said in text_report(stats)


def test_what_a_liquidation_cost_has_a_line_of_its_own():
    charged = SessionStats(total_pnl=D("-503"), fees=D(3), charges=D(100))

    assert ["Charges", "100.00"] in [line.split() for line in text_report(charged).splitlines()]
    assert "Charges" not in text_report(SessionStats())


def test_rows_that_make_up_the_total_say_nothing():
    ledger = Ledger("session-7")
    ledger.deposit("10000")
    for side, price in ((Side.BUY, "100"), (Side.SELL, "130")):
        order = ledger.submit(side, "1")
        ledger.fill(side, "1", price, cl_ord_id=order.cl_ord_id, fee="0.5")
    assert "add up to" not in text_report(fold_session(ledger.facts))
