"""What goes wrong on order: rules with a probability, a seed and a count, drawn one after another.

A rule has a lottery of its own, so that the same requests in the same order meet the same faults
whatever other rules there are. Rules are tried in their order and the first that strikes counts.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterable, Sequence
from enum import Enum
from fnmatch import fnmatchcase
from pathlib import Path

import msgspec

from ..model.errors import ConfigError, InputError
from ..model.values import NS_PER_MS, NS_PER_S

RATE_MAX = 0.1
"""The most that one funding may be, as a part of the notional."""


class Kind(Enum):
    """What can be made to go wrong: with requests, of itself, and on streams."""

    UNKNOWN_EXECUTED = "unknown_executed"  # 503 "Unknown error", and it was done
    UNKNOWN_NOT_EXECUTED = "unknown_not_executed"  # the same words, and it was not
    STATUS_UNKNOWN_EXECUTED = "status_unknown_executed"  # 408, -1007, done
    STATUS_UNKNOWN_NOT_EXECUTED = "status_unknown_not_executed"  # 408, -1007, not done
    TIMEOUT_BEFORE = "timeout_before"  # no answer ever, not done
    TIMEOUT_AFTER = "timeout_after"  # no answer ever, done
    RESET_BEFORE = "reset_before"  # the connection breaks, not done
    RESET_AFTER = "reset_after"  # the connection breaks, done
    BAD_TIMESTAMP = "bad_timestamp"  # -1021
    READ_LAG = "read_lag"  # what is younger than `delay_ms` is not seen yet
    TOO_MANY_REQUESTS = "too_many_requests"  # 429
    BANNED = "banned"  # 418 for `delay_ms`
    OVERLOADED = "overloaded"  # 503, -1008; reduce-only orders and cancels are exempt
    SERVICE_UNAVAILABLE = "service_unavailable"  # 503, not done
    INTERNAL_ERROR = "internal_error"  # 503, -1001, not done
    DELAY = "delay"  # done `delay_ms` later, if the receive window lets it
    DELAY_ANSWER = "delay_answer"  # done at once, answered `delay_ms` later
    CLOCK_SKEW = "clock_skew"  # the exchange's clock is `delay_ms` ahead, or behind
    PARTIAL_FILL = "partial_fill"  # an order gets no more than `part` of its quantity at once
    SELF_TRADE = "self_trade"  # an order expires as if it had met one of its own account
    FILL_BEFORE_CANCEL = "fill_before_cancel"  # `part` of what is left fills before its cancel

    LIQUIDATION = "liquidation"  # a position, looked at every second
    ADL = "adl"  # `part` of a position
    FUNDING = "funding"  # of a symbol, at `rate`
    LIFETIME_OVER = "lifetime_over"  # every socket is closed, as after 24 hours
    REFUSE_CONNECTIONS = "refuse_connections"  # for `delay_ms` nothing listens

    DROP_FRAME = "drop_frame"
    DUPLICATE_FRAME = "duplicate_frame"
    REORDER_FRAME = "reorder_frame"
    DELAY_FRAME = "delay_frame"
    SILENT_STREAM = "silent_stream"
    LISTEN_KEY_EXPIRED = "listen_key_expired"
    DISCONNECT = "disconnect"
    DEPTH_GAP = "depth_gap"
    TRADE_LITE_FIRST = "trade_lite_first"
    EVENTS_BEFORE_REPLY = "events_before_reply"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault on order.

    `on` is a pattern such as `POST /fapi/v1/order`, `* /fapi/v1/*order*`, a stream's name, or a
    position such as `test BTCUSDT LONG`.
    `skip` spares the first that it fits, `count` ends it after so many; `after_s` and `until_s`
    count from the moment the rule was given.
    """

    kind: Kind
    probability: float = 1.0
    on: str = "*"
    skip: int = 0
    count: int | None = None
    after_s: float = 0.0
    until_s: float | None = None
    delay_ms: int = 1000
    part: float = 0.5
    rate: float | None = None  # None: the rate that is announced


class Script(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Rules in their order, and the seed of their lotteries. None takes the server's."""

    faults: list[Rule] = []
    seed: int | None = None


class _Order:
    """A rule in force, and how it has fared."""

    __slots__ = ("fired", "lot", "number", "rule", "seen", "since")

    def __init__(self, rule: Rule, number: int, lot: random.Random, since: int) -> None:
        self.rule = rule
        self.number = number
        self.lot = lot
        self.since = since
        self.seen = 0
        self.fired = 0

    def strikes(self, place: str, now: int) -> bool:
        rule = self.rule
        age_s = (now - self.since) / NS_PER_S
        if age_s < rule.after_s or (rule.until_s is not None and age_s >= rule.until_s):
            return False
        if rule.on != "*" and not fnmatchcase(place, rule.on):
            return False
        self.seen += 1
        drawn = self.lot.random() < rule.probability
        if self.seen <= rule.skip or (rule.count is not None and self.fired >= rule.count):
            return False
        self.fired += drawn
        return drawn


class Faults:
    """The rules in force. Without any, asking costs next to nothing."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._given = 0
        self._orders: dict[Kind, list[_Order]] = {}

    @property
    def is_quiet(self) -> bool:
        return not self._orders

    def give(self, script: Script, now: int) -> None:
        """Put rules behind those in force.

        Raises:
            InputError: one of them can't be; then none is given.
        """
        for rule in script.faults:
            _check(rule)
        seed = self._seed if script.seed is None else script.seed
        for rule in script.faults:
            lot = random.Random(f"{seed}/{self._given}")
            order = _Order(rule, self._given, lot, now)
            self._given += 1
            self._orders.setdefault(rule.kind, []).append(order)

    def clear(self) -> None:
        """Lift every rule; the next ones begin their lotteries anew."""
        self._orders = {}
        self._given = 0

    def draw(self, kind: Kind, place: str, now: int, age_ms: int | None = None) -> Rule | None:
        """Return the rule that strikes here and now; None when all goes well.

        Args:
            age_ms: of what is looked at; rules that delay it by less are not asked.
        """
        for order in self._orders.get(kind, ()):
            if age_ms is not None and age_ms > order.rule.delay_ms:
                continue
            if order.strikes(place, now):
                return order.rule
        return None

    def draw_first(self, kinds: Sequence[Kind], place: str, now: int) -> Rule | None:
        """Return the first rule of several kinds that strikes, in the order they were given."""
        if not self._orders:
            return None
        asked = [order for kind in kinds for order in self._orders.get(kind, ())]
        asked.sort(key=lambda order: order.number)
        return next((order.rule for order in asked if order.strikes(place, now)), None)

    def roll(self, kind: str | Kind, place: str = "", now: int = 0) -> bool:
        """Tell whether a fault strikes here.

        Args:
            now: nanoseconds; 0 leaves the times of rules out of account.
        """
        if not self._orders:
            return False
        kind = Kind(kind)
        if now:
            return self.draw(kind, place, now) is not None
        return any(order.strikes(place, order.since) for order in self._orders.get(kind, ()))

    def delay_ns(self, kind: Kind) -> int:
        """Return how long the rules of a kind delay at most; 0 without one."""
        delays = (order.rule.delay_ms for order in self._orders.get(kind, ()))
        return max(delays, default=0) * NS_PER_MS

    def account_for(self) -> list[dict[str, object]]:
        """Return every rule in force, how often it was asked and how often it struck."""
        return [
            {**msgspec.to_builtins(order.rule), "seen": order.seen, "fired": order.fired}
            for orders in self._orders.values()
            for order in orders
        ]


def _check(rule: Rule) -> None:
    if not 0.0 <= rule.probability <= 1.0:
        raise InputError(f"probability of {rule.kind.value} must be 0 to 1, was {rule.probability}")
    if not 0.0 < rule.part <= 1.0:
        raise InputError(f"part of {rule.kind.value} must be above 0 to 1, was {rule.part}")
    if rule.rate is not None and not -RATE_MAX <= rule.rate <= RATE_MAX:
        raise InputError(f"rate of {rule.kind.value} must be within {RATE_MAX}, was {rule.rate}")
    if rule.kind is Kind.CLOCK_SKEW:
        return
    if rule.delay_ms < 0 or rule.skip < 0 or (rule.count is not None and rule.count < 0):
        raise InputError(f"delay_ms, skip and count of {rule.kind.value} must not be negative")


def rule_of(text: str) -> Rule:
    """Read `KIND`, `KIND:PROBABILITY` or either with `@PATTERN` behind, as in
    `unknown_executed:0.1@POST */order`.

    Raises:
        ConfigError: there is no such kind, or the probability is none.
    """
    what, _, pattern = text.partition("@")
    name, _, probability = what.partition(":")
    try:
        kind = Kind(name)
    except ValueError as error:
        raise ConfigError(
            f"fault {text!r}: there is no kind {name!r}; kinds: {_kinds()}"
        ) from error
    try:
        rule = Rule(kind=kind, probability=float(probability or 1), on=pattern or "*")
        _check(rule)
    except ValueError as error:
        expected = f"a probability is a number from 0 to 1, was {probability!r}"
        raise ConfigError(f"fault {text!r}: {expected}") from error
    except InputError as error:
        raise ConfigError(f"fault {text!r}: {error}") from error
    return rule


def read_script(content: bytes, name: str = "the script") -> Script:
    """Read a script from JSON.

    Raises:
        InputError: it is none; the text says what was expected.
    """
    try:
        return msgspec.json.decode(content, type=Script)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InputError(f"{name} is no list of faults: {error}; kinds: {_kinds()}") from error


def load_script(path: Path) -> Script:
    """Read a script from a file, TOML or JSON by its ending.

    Raises:
        ConfigError: it can't be read, or is none.
    """
    try:
        content = path.read_bytes()
        if path.suffix != ".toml":
            return read_script(content, str(path))
        return msgspec.convert(tomllib.loads(content.decode()), type=Script)
    except InputError as error:
        raise ConfigError(str(error)) from error
    except OSError as error:
        raise ConfigError(f"faults {path} can't be read: {error.strerror}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path} is no list of faults: {error}; kinds: {_kinds()}") from error
    except ValueError as error:
        raise ConfigError(f"faults {path} can't be read: {error}") from error


def _kinds(kinds: Iterable[Kind] = Kind) -> str:
    return ", ".join(kind.value for kind in kinds)
