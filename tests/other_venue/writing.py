"""JSON as a venue may write it: orders of fields, spaces, numbers or texts, more or fewer fields.

A number that is a text on the wire is a `str` here, one that is not an `int`, a rate a `float`.
"""

from __future__ import annotations

import json
import re

AMOUNT = re.compile(r"-?\d+\.?\d*\Z")
NUMBERED_TEXTS_STAY = frozenset({"code", "ai", "id"})
"""A few texts that look like numbers and are names."""

OPTIONAL = frozenset(
    [
        "avgPrice",
        "cumQuote",
        "cumQty",
        "workingType",
        "priceProtect",
        "closePosition",
        "origType",
        "stopPrice",
        "priceMatch",
        "selfTradePreventionMode",
        "goodTillDate",
        "pair",
        "breakEvenPrice",
        "liquidationPrice",
        "isolatedMargin",
        "notional",
        "adl",
        "marginAsset",
        "initialMargin",
        "maintMargin",
        "quoteQty",
        "baseQty",
        "positionSide",
        "buyer",
        "availableBalance",
        "crossWalletBalance",
        "crossUnPnl",
        "marginBalance",
        "info",
        "tradeId",
        "triggerProtect",
        "underlyingType",
        "underlyingSubType",
        "settlePlan",
        "liquidationFee",
        "marketTakeBound",
        "activatePrice",
        "callbackRate",
        "createTime",
        "triggerTime",
        "icebergQuantity",
        "tpOrderType",
        "ap",
        "sp",
        "wt",
        "ot",
        "cp",
        "pP",
        "si",
        "ss",
        "V",
        "pm",
        "gtd",
        "er",
        "mt",
        "iw",
        "ps",
        "bep",
        "cr",
        "up",
        "cw",
        "bc",
        "rm",
        "ia",
        "tt",
        "st",
        "nq",
        "orderTypes",
        "maintMarginPercent",
        "requiredMarginPercent",
        "exchangeFilters",
        "timezone",
        "futuresType",
        "multiAssetsMargin",
        "tradeGroupId",
        "feeTier",
        "rpiCommissionRate",
        "canDeposit",
        "canWithdraw",
        "disclaimer",
        "estimatedSettlePrice",
        "interestRate",
    ]
)
FIRST = '"A0":[{}]'
MORE = '"xNew":{"deep":[{"e":"ORDER_TRADE_UPDATE"}]},"Zz":null,"9":[1,"2",false],"ü":"é"'


def write(value, habits):
    """Return JSON text."""
    spaced = "spaced" in habits
    colon, comma = (" : ", " ,\n\t") if spaced else (":", ",")
    text = _written(value, habits, colon, comma)
    return f"\n {text}\r\n" if spaced else text


def _written(value, habits, colon, comma, name=""):
    if isinstance(value, dict):
        return _object(value, habits, colon, comma)
    if isinstance(value, (list, tuple)):
        return f"[{comma.join(_written(each, habits, colon, comma) for each in value)}]"
    return _scalar(value, habits, name)


def _object(value, habits, colon, comma):
    fields = dict(value)
    if "sparse" in habits:
        fields = {name: each for name, each in fields.items() if name not in OPTIONAL}
    if "nulls" in habits:
        fields = {name: None if each == "" else each for name, each in fields.items()}
    if "reordered" in habits:
        fields = dict(sorted(fields.items(), reverse=True))
    parts = [
        f"{json.dumps(name)}{colon}{_written(each, habits, colon, comma, name)}"
        for name, each in fields.items()
    ]
    if "more_fields" in habits:
        parts = [FIRST, *parts, MORE]
    return f"{{{comma.join(parts)}}}"


def _scalar(value, habits, name):
    if isinstance(value, str):
        is_amount = AMOUNT.match(value) and name not in NUMBERED_TEXTS_STAY
        if "numbers" in habits and is_amount:
            return value.lstrip("0") if value.startswith("00") else value
        return json.dumps(value, ensure_ascii="ascii" in habits)
    if "texts" in habits and value is not None and name not in ("e", "id", "code"):
        return json.dumps(str(value).lower() if isinstance(value, bool) else str(value))
    return json.dumps(value)
