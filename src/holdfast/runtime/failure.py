"""Say what went wrong in a strategy's hook and where, without the values that were in play."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Callable

from ..model.values import NS_PER_MS
from ..strategies.base import Strategy
from .hooks import HookGuard, HookTimeout

TEXT_LENGTH_MAX = 300


def reason_of(
    error: BaseException,
    hook: Callable[..., object],
    guard: HookGuard,
    clean: Callable[[str], str] = str,
) -> str:
    """Name the error, its text, the hook, and the innermost line of the strategy's own code.

    Args:
        clean: takes secrets out of the text, before it is cut: a part of one is one too.
    """
    text = " ".join(clean(_text_of(error, guard)).split())
    if len(text) > TEXT_LENGTH_MAX:
        text = text[:TEXT_LENGTH_MAX] + "..."
    told = f"{type(error).__name__}: {text}" if text else type(error).__name__
    return f"{told} in {getattr(hook, '__name__', 'a hook')} at {_place(error, hook)}"


def _text_of(error: BaseException, guard: HookGuard) -> str:
    """Return an error's text, which the strategy's own code may have to make."""
    if isinstance(error, HookTimeout):
        return f"outlasted its budget of {guard.budget_ns / NS_PER_MS:g} ms {error}"
    texts: list[str] = []
    try:
        guard.call(lambda: texts.append(str(error)))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - it fails once more
        return "its text can't be shown"
    return texts[0].encode(errors="backslashreplace").decode()  # it is going to be recorded


def _place(error: BaseException, hook: Callable[..., object]) -> str:
    """Return file and line, the innermost in the files of the strategy's classes."""
    code = getattr(hook, "__code__", None)
    files = {code.co_filename} if code else set()
    for cls in type(getattr(hook, "__self__", None)).__mro__:
        if cls not in Strategy.__mro__:
            files |= {f.__code__.co_filename for f in vars(cls).values() if inspect.isfunction(f)}
    frames = traceback.walk_tb(error.__traceback__)
    own = [(f.f_code.co_filename, line) for f, line in frames if f.f_code.co_filename in files]
    if own:
        return "{}:{}".format(*own[-1])
    return f"{code.co_filename}:{code.co_firstlineno}" if code else "an unknown place"
