from holdfast.model import events as ev
from holdfast.model.values import NS_PER_MS, Side
from holdfast.stats import Latencies, Spread
from holdfast.stats.latency import LATENCIES_KEPT
from tests.stats.ledger import Ledger


def order(ledger, accept_ms=None, fill_ms=None):
    ledger.ts += NS_PER_MS
    order_id = ledger.submit(Side.BUY, "1").cl_ord_id
    start = ledger.ts
    if accept_ms is not None:
        ledger.ts = start + accept_ms * NS_PER_MS
        ledger.add(ev.OrderAccepted, cl_ord_id=order_id)
    if fill_ms is not None:
        ledger.ts = start + fill_ms * NS_PER_MS
        ledger.buy("1", "100", cl_ord_id=order_id, after_s=0)
    return order_id


def folded(ledger):
    fold = Latencies()
    for fact in ledger.facts:
        fold.apply(fact)
    return fold


def test_times_run_from_the_submission_to_the_first_word_and_the_first_fill():
    ledger = Ledger()
    for accept_ms, fill_ms in ((10, 30), (20, 50), (30, 90)):
        order(ledger, accept_ms, fill_ms)

    fold = folded(ledger)

    assert fold.to_accept() == Spread(count=3, p50_ms=20, p99_ms=30, max_ms=30)
    assert fold.to_fill() == Spread(count=3, p50_ms=50, p99_ms=90, max_ms=90)


def test_a_fill_that_outruns_the_acknowledgement_counts_as_both():
    ledger = Ledger()
    order_id = order(ledger, None, 40)
    ledger.add(ev.OrderAccepted, 5, cl_ord_id=order_id)

    fold = folded(ledger)

    assert (fold.to_accept().count, fold.to_accept().max_ms) == (1, 40)


def test_only_the_first_fill_counts():
    ledger = Ledger()
    order_id = order(ledger, 10, 20)
    ledger.buy("1", "100", cl_ord_id=order_id, after_s=9)

    assert folded(ledger).to_fill().max_ms == 20


def test_an_order_that_ended_is_waited_for_no_more():
    ledger = Ledger()
    for kind in (ev.OrderRejected, ev.OrderCanceled, ev.OrderExpired):
        ledger.add(kind, cl_ord_id=order(ledger), reason="")
    ledger.add(ev.OrderNeverArrived, cl_ord_id=order(ledger))

    fold = folded(ledger)

    assert (fold.to_accept(), fold.to_fill()) == (Spread(), Spread())
    assert not fold._submitted
    assert not fold._unaccepted


def test_no_more_times_are_kept_than_the_bound():
    ledger = Ledger()
    for _ in range(LATENCIES_KEPT + 10):
        order(ledger, 1)

    assert folded(ledger).to_accept().count == LATENCIES_KEPT


def test_orders_that_rest_for_ever_are_forgotten_from_the_oldest(monkeypatch):
    monkeypatch.setattr("holdfast.stats.latency.WAITING_MAX", 2)
    ledger = Ledger()
    oldest = order(ledger)
    newer = [order(ledger) for _ in range(2)]

    fold = folded(ledger)

    assert list(fold._submitted) == newer
    assert oldest not in fold._unaccepted
