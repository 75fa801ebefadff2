"""The events of a user data stream as they stand on the wire, letters in the order recorded.

Amounts are texts, times milliseconds. A field that is UNSET is not sent.
"""

from __future__ import annotations

from msgspec import UNSET, Struct, UnsetType, field


class OrderBody(Struct, kw_only=True):
    """The order, and what happened to it."""

    symbol: str = field(name="s")
    cl_ord_id: str = field(name="c")
    side: str = field(name="S")
    order_type: str = field(name="o")
    time_in_force: str = field(name="f")
    qty: str = field(name="q")
    price: str = field(name="p")
    average: str = field(name="ap")
    stop_price: str = field(name="sp", default="0")
    exec_type: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    modify_id: str | UnsetType = field(name="M", default=UNSET)  # of an AMENDMENT alone
    last_qty: str = field(name="l", default="0")
    cum_qty: str = field(name="z")
    last_price: str = field(name="L", default="0")
    fee: str = field(name="n", default="0")
    fee_asset: str = field(name="N")
    transacted: int = field(name="T")
    trade_id: int = field(name="t", default=0)
    bids_notional: str = field(name="b")
    asks_notional: str = field(name="a")
    is_maker: bool = field(name="m", default=False)
    reduce_only: bool = field(name="R")
    working_type: str = field(name="wt")
    original_type: str = field(name="ot")
    position_side: str = field(name="ps", default="BOTH")
    close_position: bool = field(name="cp", default=False)
    realized: str = field(name="rp", default="0")
    price_protect: bool = field(name="pP", default=False)
    strategy: int = field(name="si", default=0)
    strategy_status: int = field(name="ss", default=0)
    self_trade: str = field(name="V")
    price_match: str = field(name="pm", default="NONE")
    good_till: int = field(name="gtd", default=0)
    expiry: str = field(name="er", default="0")


class OrderTradeUpdate(Struct, tag_field="e", tag="ORDER_TRADE_UPDATE"):
    """Something happened to an order."""

    transacted: int = field(name="T")
    sent: int = field(name="E")
    order: OrderBody = field(name="o")


class TradeLite(Struct, tag_field="e", tag="TRADE_LITE", kw_only=True):
    """A fill, in short and early; it comes again in an ORDER_TRADE_UPDATE."""

    sent: int = field(name="E")
    transacted: int = field(name="T")
    symbol: str = field(name="s")
    qty: str = field(name="q")
    price: str = field(name="p")
    is_maker: bool = field(name="m")
    cl_ord_id: str = field(name="c")
    side: str = field(name="S")
    last_price: str = field(name="L")
    last_qty: str = field(name="l")
    trade_id: int = field(name="t")
    order_id: int = field(name="i")


class Balance(Struct, kw_only=True):
    """A wallet; `change` leaves profit and fees out."""

    asset: str = field(name="a")
    wallet: str = field(name="wb")
    cross_wallet: str = field(name="cw")
    change: str = field(name="bc")


class PositionRow(Struct, kw_only=True):
    """A position; `realized` is before fees and since the account was opened."""

    symbol: str = field(name="s")
    qty: str = field(name="pa")
    entry_price: str = field(name="ep")
    realized: str = field(name="cr")
    unrealized: str = field(name="up")
    margin_type: str = field(name="mt", default="cross")
    isolated_wallet: str = field(name="iw", default="0")
    position_side: str = field(name="ps", default="BOTH")
    margin_asset: str = field(name="ma")
    break_even_price: str = field(name="bep")


class AccountBody(Struct, kw_only=True):
    """What moved: wallets and positions."""

    balances: list[Balance] = field(name="B")
    positions: list[PositionRow] = field(name="P")
    reason: str = field(name="m")
    symbol: str | UnsetType = field(name="S", default=UNSET)  # of a FUNDING_FEE alone


class AccountUpdateFrame(Struct, tag_field="e", tag="ACCOUNT_UPDATE"):
    """A wallet moved, and maybe a position."""

    transacted: int = field(name="T")
    sent: int = field(name="E")
    body: AccountBody = field(name="a")


class AlgoBody(Struct, kw_only=True):
    """A conditional order; `average`, `filled` and `actual_type` only once it is in the book."""

    cl_algo_id: str = field(name="caid")
    algo_id: int = field(name="aid")
    algo_type: str = field(name="at", default="CONDITIONAL")
    order_type: str = field(name="o")
    symbol: str = field(name="s")
    side: str = field(name="S")
    position_side: str = field(name="ps", default="BOTH")
    time_in_force: str = field(name="f")
    qty: str = field(name="q")
    status: str = field(name="X")
    order_id: str = field(name="ai", default="")
    average: str | UnsetType = field(name="ap", default=UNSET)
    filled: str | UnsetType = field(name="aq", default=UNSET)
    actual_type: str | UnsetType = field(name="act", default=UNSET)
    trigger_price: str = field(name="tp")
    price: str = field(name="p")
    self_trade: str = field(name="V")
    working_type: str = field(name="wt")
    price_match: str = field(name="pm", default="NONE")
    close_position: bool = field(name="cp", default=False)
    price_protect: bool = field(name="pP", default=False)
    reduce_only: bool = field(name="R")
    triggered: int = field(name="tt", default=0)
    good_till: int = field(name="gtd", default=0)
    refusal: str | UnsetType = field(name="rm", default=UNSET)
    is_active: bool = field(name="ia", default=False)


class AlgoUpdate(Struct, tag_field="e", tag="ALGO_UPDATE"):
    """Something happened to a conditional order."""

    transacted: int = field(name="T")
    sent: int = field(name="E")
    order: AlgoBody = field(name="o")


class Leverage(Struct, kw_only=True):
    """A symbol's leverage."""

    symbol: str = field(name="s")
    leverage: int = field(name="l")


class MultiAssets(Struct, kw_only=True):
    """Whether all assets are one margin."""

    is_on: bool = field(name="j")


class AccountConfigUpdate(Struct, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE", kw_only=True):
    """A setting of the account changed: one of the two."""

    sent: int = field(name="E")
    transacted: int = field(name="T")
    leverage: Leverage | UnsetType = field(name="ac", default=UNSET)
    multi_assets: MultiAssets | UnsetType = field(name="ai", default=UNSET)


class CalledPosition(Struct, kw_only=True):
    """A position near its liquidation."""

    symbol: str = field(name="s")
    position_side: str = field(name="ps", default="BOTH")
    qty: str = field(name="pa")
    margin_type: str = field(name="mt", default="CROSSED")
    isolated_wallet: str = field(name="iw", default="0")
    mark: str = field(name="mp")
    unrealized: str = field(name="up")
    maintenance: str = field(name="mm")


class MarginCall(Struct, tag_field="e", tag="MARGIN_CALL", kw_only=True):
    """The margin is nearly used up."""

    sent: int = field(name="E")
    cross_wallet: str = field(name="cw")
    positions: list[CalledPosition] = field(name="p")


class ListenKeyExpired(Struct, tag_field="e", tag="listenKeyExpired", kw_only=True):
    """This stream will say nothing more; the socket stays open."""

    sent: int = field(name="E")
    listen_key: str = field(name="listenKey")
