"""What the clients' scripts share: how an error is written down, and how one waits for an event."""

from __future__ import annotations

import json
import sys
import time

WAIT_S = 10.0


def error(call, *arguments, **named):
    """Return what a call raised, with the classes it can be caught as; None if it went well."""
    try:
        call(*arguments, **named)
    except Exception as raised:  # noqa: BLE001 - which one it is, is the question
        return error_row(raised)
    return None


async def error_of(awaitable):
    try:
        await awaitable
    except Exception as raised:  # noqa: BLE001 - which one it is, is the question
        return error_row(raised)
    return None


def error_row(raised):
    classes = [each.__name__ for each in type(raised).__mro__ if each.__module__ != "builtins"]
    code = getattr(raised, "code", None) or getattr(raised, "error_code", None)
    return {"classes": classes, "code": code, "text": str(raised)}


def wait_for(ready):
    """Look until something is so, or too much time has passed; return whether it is."""
    end = time.monotonic() + WAIT_S
    while not ready():
        if time.monotonic() > end:
            return False
        time.sleep(0.01)
    return True


def tell(document):
    json.dump(document, sys.stdout, default=str)
    sys.stdout.write("\n")
