"""In which frames the other venue tells of the fills of one match, and in which order."""

from __future__ import annotations

from dataclasses import replace

from . import rows


def told_of(books, fill, what, new):
    """Return the frames of one fill by their kind, as things stand now."""
    order, now = fill.order, fill.at
    if "no_trade_ids" in books.habits and what == "CALCULATED":
        fill = replace(fill, trade_id=0)
    whole = rows.order_event(order, "NEW", now)
    whole["o"]["X"] = order.status
    return {
        "lite": rows.lite_event(fill),
        "new": new,
        "moved": rows.moved_event(books, order.symbol, now),
        "told": rows.order_event(order, what, now, fill),
        "whole": whole,
    }


def in_order(matched, habits):
    """Return the frames of a match: each fill by itself, or "batched": each kind by itself."""
    if "backwards" in habits:  # all of one moment: nobody promises which comes first
        matched = [
            {**at_end, "lite": each["lite"], "told": each["told"]}
            for each, at_end in zip(reversed(matched), matched, strict=True)
        ]
    if "batched" not in habits:
        return [frame for each in matched for frame in of_one(each, habits) if frame is not None]
    kinds = kinds_in_order(habits)
    last = {"moved": matched[-1]["moved"], "whole": matched[-1]["whole"], "new": matched[0]["new"]}
    found: list = []
    for kind in kinds:
        found += [last[kind]] if kind in last else [each[kind] for each in matched]
    return [frame for frame in found if frame is not None]


def of_one(each, habits):
    return [each[kind] for kind in kinds_in_order(habits)]


def kinds_in_order(habits):
    if "no_trade_events" in habits:
        return ["moved", "whole"]
    if "lite_late" in habits:
        return ["new", "told", "moved", "lite"]
    if "fills_first" in habits:
        return ["told", "moved", "new", "lite", "told"]  # of one kind in order but for the NEW
    return ["lite", "new", "moved", "told"]
