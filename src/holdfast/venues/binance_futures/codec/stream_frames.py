"""What the frames of all streams have in common: wrapping, control answers, unknown events."""

from __future__ import annotations

import msgspec

from .wire import UNREADABLE, BadFrame, quote

Frame = bytes | bytearray | memoryview | str
"""A frame as a socket hands it over. A view is read before the call returns, and not kept."""

_MARK = b'{"stream"'
_MARK_TEXT = '{"stream"'
_MARK_PART = slice(len(_MARK))


class StreamReply(msgspec.Struct, frozen=True):
    """The answer to a SUBSCRIBE, UNSUBSCRIBE or LIST_SUBSCRIPTIONS; `error` "" is a success."""

    id: int | str | None
    streams: tuple[str, ...] = ()
    error: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    code: int | None = None
    msg: str = ""


class _Tag(msgspec.Struct, frozen=True):
    e: str | None = None


class _Head(msgspec.Struct, frozen=True):
    """What tells frames apart that are none of the expected."""

    e: str | None = None
    data: _Tag | tuple[_Tag, ...] | None = None
    id: int | str | msgspec.UnsetType | None = msgspec.UNSET
    result: tuple[str, ...] | None = None
    error: _Refusal | str | None = None
    code: int | None = None
    msg: str = ""


_HEAD = msgspec.json.Decoder(_Head | tuple[_Tag, ...], strict=False)


def is_wrapped(raw: Frame) -> bool:
    """Tell whether a frame carries its stream's name around it."""
    return raw[_MARK_PART] == (_MARK_TEXT if type(raw) is str else _MARK)


def shown(raw: Frame) -> bytes | str:
    """Return a frame as what outlives the call."""
    return raw if isinstance(raw, str) else bytes(raw)


def read_tagged(raw: Frame, known: frozenset[str], error: Exception) -> StreamReply | None:
    """Make out what a frame is that the decoder of events refused with `error`.

    Returns:
        The answer to a request of ours, or None where it is an event of a kind we do not read.

    Raises:
        BadFrame: it is an event of a known kind, or nothing that can be told.
    """
    try:
        head = _HEAD.decode(raw)
    except UNREADABLE:
        raise BadFrame(f"a stream's frame can't be read ({error}): {quote(shown(raw))}") from error
    if isinstance(head, _Head) and _is_reply(head):
        return _reply(head)
    tags = _tags(head)
    if not tags or None in tags or not known.isdisjoint(tags):
        raise BadFrame(f"a stream's frame can't be read ({error}): {quote(shown(raw))}") from error
    return None


def _is_reply(head: _Head) -> bool:
    return (
        head.e is None
        and head.data is None
        and (head.id is not msgspec.UNSET or head.error is not None or head.code is not None)
    )


def _reply(head: _Head) -> StreamReply:
    given = None if head.id is msgspec.UNSET else head.id
    refusal = head.error
    if isinstance(refusal, _Refusal):
        refusal = f"{refusal.code}: {refusal.msg}"
    elif refusal is None and head.code is not None:
        refusal = f"{head.code}: {head.msg}"
    return StreamReply(given, head.result or (), refusal or "")


def _tags(head: _Head | tuple[_Tag, ...]) -> set[str | None]:
    if isinstance(head, tuple):
        return {each.e for each in head}
    if isinstance(head.data, tuple):
        return {each.e for each in head.data}
    return {head.data.e if head.data is not None else head.e}
