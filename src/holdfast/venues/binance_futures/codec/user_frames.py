"""The account stream's frames, letter by letter."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import msgspec
from msgspec import field

from ....model.values import ZERO
from .stream_frames import Frame, StreamReply, is_wrapped, read_tagged, shown
from .wire import UNREADABLE, BadFrame, Said, without_empties


class OrderFields(msgspec.Struct, frozen=True, gc=False):
    """What happened to an order."""

    symbol: str = field(name="s")
    client_id: str = field(name="c")
    side: str = field(name="S")
    qty: Decimal = field(name="q")
    exec_type: str = field(name="x")
    status: str = field(name="X")
    order_id: int = field(name="i")
    trade_time: int = field(name="T")
    order_type: str = field(name="o", default="")
    time_in_force: str = field(name="f", default="")
    price: Decimal = field(name="p", default=ZERO)
    last_qty: Decimal = field(name="l", default=ZERO)
    cum_qty: Decimal = field(name="z", default=ZERO)
    last_price: Decimal = field(name="L", default=ZERO)
    fee: Decimal = field(name="n", default=ZERO)
    fee_asset: str | None = field(name="N", default=None)
    trade_id: int = field(name="t", default=0)
    is_maker: bool = field(name="m", default=False)
    reduce_only: bool = field(name="R", default=False)
    realized: Decimal | None = field(name="rp", default=None)
    expiry_reason: Said = field(name="er", default="")


class OrderFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="ORDER_TRADE_UPDATE"):
    """An order's event."""

    order: OrderFields = field(name="o")


class AlgoFields(msgspec.Struct, frozen=True, gc=False):
    """What happened to a conditional order; `child_id` is text, empty before the trigger."""

    client_id: str = field(name="caid")
    algo_id: int = field(name="aid")
    symbol: str = field(name="s")
    side: str = field(name="S")
    status: str = field(name="X")
    order_type: str = field(name="o", default="")
    time_in_force: str = field(name="f", default="")
    qty: Decimal = field(name="q", default=ZERO)
    child_id: Said = field(name="ai", default="")
    executed: Said = field(name="aq", default="")
    trigger_price: Decimal = field(name="tp", default=ZERO)
    price: Decimal = field(name="p", default=ZERO)
    working_type: str = field(name="wt", default="")
    reduce_only: bool = field(name="R", default=False)
    close_position: bool = field(name="cp", default=False)
    refusal: str = field(name="rm", default="")


class AlgoFrame(msgspec.Struct, frozen=True, gc=False, tag_field="e", tag="ALGO_UPDATE"):
    """A conditional order's event."""

    transaction_time: int = field(name="T")
    algo: AlgoFields = field(name="o")


class BalanceFields(msgspec.Struct, frozen=True, gc=False):
    """An asset's wallet, and what came or went for another reason than trading."""

    asset: str = field(name="a")
    wallet: Decimal = field(name="wb")
    change: Decimal = field(name="bc", default=ZERO)


class PositionFields(msgspec.Struct, frozen=True, gc=False):
    """A position after the event."""

    symbol: str = field(name="s")
    qty: Decimal = field(name="pa")
    position_side: str = field(name="ps", default="BOTH")
    margin_type: str = field(name="mt", default="")
    isolated_wallet: Decimal = field(name="iw", default=ZERO)


class AccountFields(msgspec.Struct, frozen=True):
    """Wallets and positions that changed."""

    reason: str = field(name="m")
    balances: tuple[BalanceFields, ...] = field(name="B", default=())
    positions: tuple[PositionFields, ...] = field(name="P", default=())
    symbol: str = field(name="S", default="")


class AccountFrame(msgspec.Struct, frozen=True, tag_field="e", tag="ACCOUNT_UPDATE"):
    """The account's event."""

    transaction_time: int = field(name="T")
    books: AccountFields = field(name="a")


class CalledFields(msgspec.Struct, frozen=True, gc=False):
    """A position near its liquidation."""

    symbol: str = field(name="s")


class MarginCallFrame(msgspec.Struct, frozen=True, tag_field="e", tag="MARGIN_CALL"):
    """The venue's warning."""

    event_time: int = field(name="E", default=0)
    positions: tuple[CalledFields, ...] = field(name="p", default=())


class LeverageFields(msgspec.Struct, frozen=True, gc=False):
    """A symbol's new leverage."""

    symbol: str = field(name="s")
    leverage: int = field(name="l")


class AssetsFields(msgspec.Struct, frozen=True, gc=False):
    """The account's new asset mode."""

    is_multi: bool = field(name="j")


class ConfigFrame(msgspec.Struct, frozen=True, tag_field="e", tag="ACCOUNT_CONFIG_UPDATE"):
    """A setting was changed."""

    event_time: int = field(name="E", default=0)
    leverage: LeverageFields | None = field(name="ac", default=None)
    assets: AssetsFields | None = field(name="ai", default=None)


class ExpiredFrame(msgspec.Struct, frozen=True, tag_field="e", tag="listenKeyExpired"):
    """The stream's key is over."""

    event_time: int = field(name="E", default=0)
    listen_key: str = field(name="listenKey", default="")


UserFrame = OrderFrame | AlgoFrame | AccountFrame | MarginCallFrame | ConfigFrame | ExpiredFrame


class _Wrapped(msgspec.Struct, frozen=True):
    data: UserFrame


_BARE = msgspec.json.Decoder(UserFrame, strict=False)
_WRAPPED = msgspec.json.Decoder(_Wrapped, strict=False)
_TAGS = frozenset(
    {
        "ORDER_TRADE_UPDATE",
        "ALGO_UPDATE",
        "ACCOUNT_UPDATE",
        "MARGIN_CALL",
        "ACCOUNT_CONFIG_UPDATE",
        "listenKeyExpired",
    }
)


def read(raw: Frame) -> UserFrame | StreamReply | None:
    """Decode a frame; None for an event that is of no concern or not known.

    Raises:
        BadFrame: it is of a kind that we read, and can't be read.
    """
    try:
        return _WRAPPED.decode(raw).data if is_wrapped(raw) else _BARE.decode(raw)
    except UNREADABLE as error:
        with contextlib.suppress(*UNREADABLE):
            return _WRAPPED.decode(raw).data  # written with spaces, or the other way round
        try:
            return read_tagged(raw, _TAGS, error)
        except BadFrame:
            with contextlib.suppress(*UNREADABLE):
                return _either(without_empties(shown(raw)))
            raise


def _either(raw: bytes) -> UserFrame:
    with contextlib.suppress(*UNREADABLE):
        return _WRAPPED.decode(raw).data
    bare: UserFrame = _BARE.decode(raw)
    return bare
