"""Keys of each kind at the other venue, over TLS by an authority of one's own."""

from __future__ import annotations

import pytest

from tests.other_venue.street import BTC, QUICK, session, street
from tests.other_venue.test_depth import is_protected
from tests.venues.binance_futures.test_adapter_tls import authority  # noqa: F401 - a fixture


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
async def test_a_session_trades_with_a_private_key_over_tls(
    tmp_path,
    monkeypatch,
    authority,  # noqa: F811
    kind,
):
    trusted, tls = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    with street("more_fields", "reordered", key=kind, tls=tls) as market:
        async with session(tmp_path, market, **QUICK) as one:
            await one.service.place_order(BTC, "BUY", "0.01", stop_loss="49000")
            await one.until(lambda: is_protected(market))
            await one.agree()
            if kind == "ed25519":
                await logged_off(one, market)
                await cut_off(one, market)
            await one.service.close_position(BTC)
            await one.until(lambda: market.books()[1:] == ({}, []))
            await one.agree()
            assert one.status == "RUNNING"


async def logged_off(one, market):
    """Forget the session's logon, twice: nothing is lost by it."""
    venue = market.venue
    assert venue.unsigned
    for price, is_told in (("49700", True), ("49600", False)):
        market.call(lambda told=is_told: venue.log_off(is_told=told))
        await one.service.place_order(BTC, "BUY", "0.01", "LIMIT", price, stop_loss="48000")
        order = one.state.all_open_orders()[-1]
        await one.service.cancel_order(order.cl_ord_id)
        await one.agree()


async def cut_off(one, market):
    """End both connections while an order rests."""
    order = await one.service.place_order(BTC, "BUY", "0.02", "LIMIT", "49900", stop_loss="48000")
    market.close("orders", 1001)
    await one.until(lambda: any(each.is_open for each in market.venue.orders))
    await one.service.modify_order(order.id, new_price="49800.5")
    market.call(market.venue.expire_key)
