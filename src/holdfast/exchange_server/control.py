"""What a client may ask on a stream's socket: SUBSCRIBE and its family, pure.

Binance documents unsigned integers as ids, and clients send texts too: any id comes back as it
came. Replies are never wrapped.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from .frames import encode
from .params import UNREADABLE

MAX_STREAMS = 1024
METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")

_UNKNOWN_PROPERTY, _BAD_VALUE, _BAD_REQUEST, _BAD_JSON = 0, 1, 2, 3


class Subscriber(Protocol):
    """Who is asking."""

    is_combined: bool

    def subscribe(self, name: str) -> None: ...

    def unsubscribe(self, name: str) -> None: ...

    def names(self) -> list[str]: ...


class _Refused(Exception):
    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code, self.text = code, text


def answer(message: str | bytes, subscriber: Subscriber) -> bytes:
    """Do what a message asks and return the reply."""
    request_id: object = None
    try:
        request = _read(message)
        request_id = request.get("id")
        return encode({"result": _result(request, subscriber), "id": request_id})
    except _Refused as refused:
        said = {"code": refused.code, "msg": refused.text}
        return encode({"error": said, "id": request_id})


def _read(message: str | bytes) -> dict[str, object]:
    try:
        request = msgspec.json.decode(message)
    except UNREADABLE as error:
        raise _Refused(_BAD_JSON, f"Invalid JSON: {error}") from None
    if not isinstance(request, dict):
        raise _Refused(_BAD_REQUEST, "Invalid request: must be an object")
    return request


def _result(request: dict[str, object], subscriber: Subscriber) -> object:
    method, params = request.get("method"), request.get("params", [])
    if method not in METHODS:
        known = ", ".join(f"`{name}`" for name in METHODS)
        text = f"Invalid request: unknown variant `{method}`, expected one of {known}"
        raise _Refused(_BAD_REQUEST, text)
    if method == "LIST_SUBSCRIPTIONS":
        return subscriber.names()
    if not isinstance(params, list):
        raise _Refused(_BAD_REQUEST, "Invalid request: params must be an array")
    if method in ("SET_PROPERTY", "GET_PROPERTY"):
        return _property(method == "SET_PROPERTY", params, subscriber)
    names = [name for name in params if isinstance(name, str)]
    if len(names) < len(params):
        raise _Refused(_BAD_REQUEST, "Invalid request: stream names must be strings")
    _change(method == "SUBSCRIBE", names, subscriber)
    return None


def _change(adds: bool, names: list[str], subscriber: Subscriber) -> None:
    if not adds:
        for name in names:
            subscriber.unsubscribe(name)
        return
    if len({*subscriber.names(), *names}) > MAX_STREAMS:
        text = f"Invalid request: at most {MAX_STREAMS} streams on one connection"
        raise _Refused(_BAD_REQUEST, text)
    for name in names:
        subscriber.subscribe(name)


def _property(sets: bool, params: list[object], subscriber: Subscriber) -> object:
    if not params or not isinstance(params[0], str):
        raise _Refused(_BAD_REQUEST, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise _Refused(_UNKNOWN_PROPERTY, "Unknown property")
    if not sets:
        return subscriber.is_combined
    if len(params) != 2 or not isinstance(params[1], bool):
        raise _Refused(_BAD_VALUE, "Invalid value type: expected Boolean")
    subscriber.is_combined = params[1]
    return None
