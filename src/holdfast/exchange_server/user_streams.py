"""Brings each account's events to the streams that were opened with its listen key."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence

from ..exchange import Output
from ..model.values import NS_PER_S, AccountId, Symbol
from . import frames_user as wire
from .faults import Kind
from .frames import encode, ms
from .listen_keys import ExpiredKey
from .margin_calls import MarginCalls
from .subscriptions import Hub
from .terms import algo_id_of
from .user_events import UserEvent, UserEvents
from .venue import Venue

LOOK_EVERY_NS = NS_PER_S
WAITING_MAX = 10_000
"""How many events of one account may be held up; beyond it none is any more."""


class UserStreams:
    """Feeds a hub from a venue. Call `pulse` a few times a second."""

    def __init__(self, venue: Venue, hub: Hub) -> None:
        self._venue = venue
        self._hub = hub
        self._events = UserEvents(venue.exchange, venue.terms_of, algo_id_of, venue.name_of)
        self._calls = MarginCalls(venue.exchange)
        self._looked_ts = 0
        self._waiting: dict[AccountId, deque[UserEvent]] = {}
        hub.is_listen_key = lambda name: venue.listen_keys.account_of(name) is not None
        venue.sinks.append(self.on_outputs)
        venue.leverage_sinks.append(self.on_leverage)
        venue.asset_mode_sinks.append(self._on_asset_mode)

    def on_outputs(self, outputs: Sequence[Output], now: int) -> None:
        """Hear what one call set off."""
        self._tell(self._events.translate(outputs, now, self._is_heard), now)

    def on_leverage(self, account: AccountId, symbol: Symbol, leverage: int, now: int) -> None:
        frame = wire.AccountConfigUpdate(
            sent=ms(now),
            transacted=ms(now),
            leverage=wire.Leverage(symbol=symbol, leverage=leverage),
        )
        self._tell([UserEvent(account, "ACCOUNT_CONFIG_UPDATE", encode(frame))], now)

    def _on_asset_mode(self, account: AccountId, is_multi_assets: bool, now: int) -> None:
        frame = wire.AccountConfigUpdate(
            sent=ms(now),
            transacted=ms(now),
            multi_assets=wire.MultiAssets(is_on=is_multi_assets),
        )
        self._tell([UserEvent(account, "ACCOUNT_CONFIG_UPDATE", encode(frame))], now)

    def pulse(self, now: int) -> None:
        """Tell what nobody asked for: keys that expired, margin that runs out, activations."""
        for expired in self._venue.listen_keys.expire_due(now):
            self._say_expired(expired, now)
        self._tell(self._events.activations(now), now)
        if now - self._looked_ts >= LOOK_EVERY_NS:
            self._looked_ts = now
            for account in {key.account: None for key in self._venue.keys.all()}:
                if self._is_heard(account):
                    self._tell(self._calls.due(account, now), now)

    def expire(self, account: AccountId, now: int) -> bool:
        """Let an account's listen key expire before its time; False when it has none."""
        expired = self._venue.listen_keys.expire(account)
        if expired is not None:
            self._say_expired(expired, now)
        return expired is not None

    def _is_heard(self, account: AccountId) -> bool:
        key = self._venue.listen_keys.key_of(account)
        return key is not None and self._hub.wants(key)

    def _say_expired(self, expired: ExpiredKey, now: int) -> None:
        frame = wire.ListenKeyExpired(sent=ms(now), listen_key=expired.key)
        self._hub.publish(expired.key, encode(frame), "listenKeyExpired")

    def _tell(self, events: Iterable[UserEvent], now: int) -> None:
        for event in events:
            waiting = self._waiting.get(event.account)
            if waiting is not None and len(waiting) < WAITING_MAX:
                waiting.append(event)
            else:
                self._send(event, now)
                if event.kind == "TRADE_LITE":
                    self._hold(event.account, now)

    def _send(self, event: UserEvent, now: int) -> None:
        faults = self._venue.faults
        if faults.draw(Kind.LISTEN_KEY_EXPIRED, event.kind, now) is not None:
            self.expire(event.account, now)
            return
        key = self._venue.listen_keys.key_of(event.account)
        if key is not None:
            self._hub.publish(key, event.payload, event.kind)

    def _hold(self, account: AccountId, now: int) -> None:
        """Let TRADE_LITE hurry ahead of all else that happens to the account, on order."""
        rule = self._venue.faults.draw(Kind.TRADE_LITE_FIRST, "TRADE_LITE", now)
        if rule is not None:
            self._waiting[account] = deque()
            loop = asyncio.get_running_loop()
            loop.call_later(rule.delay_ms / 1000, self._release, account)

    def _release(self, account: AccountId) -> None:
        for event in self._waiting.pop(account, ()):
            self._send(event, self._venue.now())
