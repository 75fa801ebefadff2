"""What callers gave, as the record gives it back: an id that is a UUID there is its text here."""

from __future__ import annotations

import enum
from decimal import Decimal
from functools import cache
from typing import TypeVar
from uuid import UUID

import msgspec
import msgspec.inspect

from ..model.errors import InputError, StrategyError
from ..model.values import StrategyId

M = TypeVar("M", bound=msgspec.Struct)

_UNFIT = (msgspec.MsgspecError, TypeError, ValueError, OverflowError)
_DENOTES_TEXT = (str, UUID, enum.Enum, Decimal)
"""What is written as the text that a person would write; bytes, as one, are not."""


def as_recorded(message: M) -> M:
    """Return a message with texts in the place of what is recorded as one.

    All else is left the very object that it was: what is a default is not recorded.

    Raises:
        InputError: a value can't be recorded, or be read back as what it was; the text names it.
    """
    kind = type(message)
    try:
        recorded = msgspec.json.decode(msgspec.json.encode(message), type=kind)
    except _UNFIT as error:
        raise InputError(_misfit(message, error)) from error
    texts = {}
    for name in _texts_of(kind):
        given = getattr(message, name)
        if type(given) is str:
            continue
        if not isinstance(given, _DENOTES_TEXT):
            raise InputError(f"{kind.__name__}.{name} must be a text, was {given!r:.80}")
        texts[name] = getattr(recorded, name)
    return msgspec.structs.replace(message, **texts) if texts else message


@cache
def _texts_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    """Return the names of the fields that are texts."""
    fields = msgspec.structs.fields(kind)
    kinds = {field.name: msgspec.inspect.type_info(field.type) for field in fields}
    return tuple(
        name for name, found in kinds.items() if isinstance(found, msgspec.inspect.StrType)
    )


def _misfit(message: msgspec.Struct, error: Exception) -> str:
    """Say which value of a message can't be recorded and read back."""
    name = type(message).__name__
    for field in msgspec.structs.fields(message):
        given = getattr(message, field.name)
        try:
            msgspec.json.decode(msgspec.json.encode(given), type=field.type)
        except _UNFIT as its_own:
            return f"{name}.{field.name} can't be used: {its_own}, was {given!r:.80}"
    return f"{name} has a value that can't be used: {error}"


def strategy_id_of(given: object) -> StrategyId:
    """Return the text that a strategy's id denotes.

    Raises:
        StrategyError: it denotes none.
    """
    try:
        text = msgspec.json.decode(msgspec.json.encode(given), type=str)
    except _UNFIT:
        text = None
    if text is None or not isinstance(given, _DENOTES_TEXT):
        raise StrategyError(f"a strategy's id must be a text or a UUID, was {given!r:.80}")
    return StrategyId(text)
