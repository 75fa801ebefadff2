"""Contracts that were traded before, and are not any more, by the lists that a start reads."""

from __future__ import annotations

import logging
from collections.abc import Mapping

import msgspec

from ...model.errors import ConfigError
from ...model.instrument import UNLISTED, Bracket, Instrument
from ...model.values import Symbol
from . import codec
from .codec import BadFrame

_log = logging.getLogger("holdfast.venue")


def status_of(info: codec.ExchangeInfo, known: Instrument) -> str:
    """Return a contract's status; the one that was known where its row, or the list, is none."""
    try:
        row = codec.listed(info, known.symbol)
    except BadFrame:
        return known.status
    return row.status if row else UNLISTED if info.contracts else known.status


def as_listed(
    known: Instrument,
    before: codec.ExchangeInfo,
    info: codec.ExchangeInfo,
    tables: Mapping[Symbol, tuple[Bracket, ...]],
) -> Instrument:
    """Return a contract that was traded before as two looks show it, as it was where they differ.

    An odd row of it ends no start.
    """
    status = status_of(info, known)
    if status != status_of(before, known):
        return known
    try:
        row = codec.listed(info, known.symbol)
        if row is not None:
            return refiltered(row, known, tables)
    except (BadFrame, ConfigError) as error:
        _log.warning("%s stays as it was known: %s", known.symbol, error)
    return msgspec.structs.replace(known, status=status)


def refiltered(
    row: codec.ContractRow, made: Instrument, tables: Mapping[Symbol, tuple[Bracket, ...]]
) -> Instrument:
    """Return a contract with its filters and margin table as they are listed, and its own fees."""
    return codec.instrument(
        row,
        brackets=tables.get(made.symbol) or made.brackets,
        fees=codec.Fees(made.maker_fee, made.taker_fee),
        funding_interval_h=made.funding_interval_h,
    )
