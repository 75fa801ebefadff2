"""Write requests as they are transmitted, signed, and read what answers are wrapped in."""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import quote as percent_encode

import msgspec

from ..sign import Credentials
from .calls import Call, Params, Security, Value
from .wire import UNREADABLE, BadFrame, decode, without_keys

KEY_HEADER = "X-MBX-APIKEY"
OK = 200


class RestRequest(NamedTuple):
    """One HTTP request without a body. `target` is path and query, encoded as it was signed:
    it must leave unchanged.
    """

    verb: str
    target: str
    headers: dict[str, str]


class RateLimit(msgspec.Struct, frozen=True, rename="camel"):
    """One counter of the venue; `count` is -1 where only the limit is told, and the other way
    round. An incomplete one is no reason to leave an order's answer unread.
    """

    rate_limit_type: str = ""
    interval: str = ""
    interval_num: int = 0
    limit: int = -1
    count: int = -1


class ErrorBody(msgspec.Struct, frozen=True):
    """The venue's refusal. `code` is None where the body is none of the venue's own.

    `data` is still JSON: on the WebSocket API it may say when to ask again.
    """

    code: int | None = None
    msg: str = ""
    data: msgspec.Raw = msgspec.Raw()

    @property
    def retry_after_s(self) -> float | None:
        """How long to wait, where the refusal says; None where it does not."""
        try:
            told = _WHEN.decode(self.data)
        except UNREADABLE:
            return None
        return max(0, told.retry_after - told.server_time) / 1000


class _When(msgspec.Struct, frozen=True, rename="camel"):
    """When to ask again, both in milliseconds of the venue's time."""

    server_time: int
    retry_after: int


class WsReply(msgspec.Struct, frozen=True, rename="camel"):
    """An answer on the WebSocket API; `result` is still JSON."""

    id: int | str | None = None
    status: int = 0
    result: msgspec.Raw = msgspec.Raw()
    error: ErrorBody | None = None
    rate_limits: tuple[RateLimit, ...] = ()

    @property
    def is_ok(self) -> bool:
        """Tell whether the request was carried out."""
        return self.status == OK and self.error is None


_REPLY = msgspec.json.Decoder(WsReply, strict=False)
_WHEN = msgspec.json.Decoder(_When, strict=False)
_ERROR = msgspec.json.Decoder(ErrorBody, strict=False)
_ENCODE = msgspec.json.Encoder().encode


def rest_request(call: Call, credentials: Credentials | None = None) -> RestRequest:
    """Write a call for REST, everything in the query string.

    Args:
        credentials: needed unless the call is open to all.
    """
    route = call.route
    query = _query(call.params)
    if route.security is Security.NONE:
        return RestRequest(route.verb, f"{route.path}?{query}" if query else route.path, {})
    assert credentials is not None, f"{route.path} needs a key"
    headers = {KEY_HEADER: credentials.api_key}
    if route.security is Security.SIGNED:
        signature = percent_encode(credentials.signer.sign(query), safe="")
        query = f"{query}&signature={signature}"
    return RestRequest(route.verb, f"{route.path}?{query}" if query else route.path, headers)


def _query(params: Params) -> str:
    return "&".join([f"{name}={_encoded(value)}" for name, value in params.items()])


def _encoded(value: Value) -> Value:
    if isinstance(value, int) or (value.isascii() and value.isalnum()):
        return value
    return percent_encode(value, safe="")


def ws_request(call: Call, request_id: int | str, credentials: Credentials | None = None) -> bytes:
    """Write a call for the WebSocket API.

    Args:
        credentials: None once the session has been logged on: key and signature are left out.
    """
    params = call.params
    if credentials is not None and call.route.security is not Security.NONE:
        params = {"apiKey": credentials.api_key, **params}
        if call.route.security is Security.SIGNED:
            text = "&".join([f"{name}={params[name]}" for name in sorted(params)])
            params["signature"] = credentials.signer.sign(text)
    return _ENCODE({"id": request_id, "method": call.route.ws_method, "params": params})


def read_reply(raw: bytes | str) -> WsReply:
    """Read an answer on the WebSocket API.

    Raises:
        BadFrame: it is no answer.
    """
    return decode(_REPLY, raw, "an answer on the WebSocket API")


def read_error(body: bytes | str) -> ErrorBody:
    """Read what an HTTP error says; a body that is not the venue's is quoted, in one line."""
    try:
        return decode(_ERROR, body, "a refusal")
    except BadFrame:
        text = body if isinstance(body, str) else body.decode(errors="replace")
        return ErrorBody(msg=without_keys(" ".join(text.split()))[:200])
