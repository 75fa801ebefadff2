"""Find the strategy that a user named, wherever it lives, and make it with its parameters.

A spec is one of
    sma_cross                     a strategy that comes with Holdfast, or with an installed package
    sma_cross:fast=5,slow=20      the same, with parameters
    sma_cross:fast=5,account=b    the same, trading the account b of the settings
    path/to/mine.py:Mine          a class in a file; parameters follow behind another colon
    package.module:Mine           a class in a module; package.module.Mine does as well
"""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import traceback
import types
import zlib
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from ..model.errors import StrategyError
from ..model.market import timeframe_ns
from ..strategies import HOOKS, STRATEGIES, Strategy, overridden_hooks
from .strategy_arguments import account_in, arguments_for, way_out
from .strategy_template import new_strategy_source

__all__ = ["check_strategy", "load_strategy", "new_strategy_source"]

ENTRY_POINT_GROUP = "holdfast.strategies"
_FILE = re.compile(r"(?P<path>.+?\.py)(?::(?P<rest>.*))?", re.DOTALL)
_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def load_strategy(spec: str) -> tuple[str, Strategy]:
    """Return a strategy and a name for it.

    Raises:
        StrategyError: it can't be found, read or made; the text says where and the way out.
    """
    name, cls, text = _find(spec.strip())
    account, text = account_in(cls, text)
    arguments = arguments_for(cls, name, text)
    try:
        strategy = cls(**arguments)
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        shown = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
        raise StrategyError(f"{name}({shown}): {_told(error, _file_of(cls))}") from error
    if account:
        strategy.account = account
    check_strategy(strategy, name)
    return name, strategy


def anchored_spec(spec: str) -> str:
    """Return the same spec with the absolute name of its file, where it names one."""
    match = _FILE.fullmatch(spec.strip())
    if match is None:
        return spec
    rest = "" if match["rest"] is None else f":{match['rest']}"
    return f"{Path(match['path']).absolute()}{rest}"


def check_strategy(strategy: Strategy, name: str) -> None:
    """Refuse a strategy whose hooks would never be heard, or whose wants make no sense.

    Raises:
        StrategyError: a hook is misspelt, asynchronous or takes something else.
    """
    hooks = overridden_hooks(strategy)
    if not hooks:
        odd = [word for word in dir(strategy) if word.startswith("on") and word not in HOOKS]
        hint = f" (it has {', '.join(odd)})" if odd else ""
        raise StrategyError(f"{name} has none of the hooks{hint}; known: {', '.join(HOOKS)}")
    for hook in sorted(hooks):
        _check_hook(strategy, name, hook)
    wish: object = strategy.signal
    if not callable(wish):
        raise StrategyError(
            f"{name}.signal is {wish!r:.80}, but strategies wish with self.signal(...): keep it "
            "under another name, such as signal_period"
        )
    _check_wants(strategy, name)
    account: object = strategy.account
    if not isinstance(account, str):
        raise StrategyError(f"{name}.account must be an account's name, was {account!r:.80}")


def _check_hook(strategy: Strategy, name: str, hook: str) -> None:
    method = getattr(strategy, hook)
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        raise StrategyError(f"{name}.{hook} is async: write it as a plain def, it must not wait")
    if inspect.isgeneratorfunction(method):
        raise StrategyError(f"{name}.{hook} contains yield: it would never run")
    given = list(inspect.signature(getattr(Strategy, hook)).parameters)[1:]
    try:
        inspect.signature(method).bind(*given)
    except TypeError:
        wanted = ", ".join(["self", *given])
        raise StrategyError(f"{name}.{hook} must be written as def {hook}({wanted})") from None


def _check_wants(strategy: Strategy, name: str) -> None:
    wanted: object = strategy.timeframes
    if not isinstance(wanted, tuple | list):
        raise StrategyError(f"{name}.timeframes must be a tuple like ('1m',), was {wanted!r}")
    for timeframe in wanted:
        try:
            timeframe_ns(timeframe)
        except (ValueError, TypeError) as error:
            raise StrategyError(f"{name}.timeframes: {error}") from None
    count: object = strategy.warmup_bars
    if isinstance(count, bool) or not isinstance(count, int) or count < 0:
        raise StrategyError(f"{name}.warmup_bars must be a whole number >= 0, was {count!r}")


def _find(spec: str) -> tuple[str, type[Strategy], str]:
    """Return name, class and the parameters' text."""
    match = _FILE.fullmatch(spec)
    if match is not None:
        class_name, text = _split(match["rest"] or "")
        return _named(_from_file(Path(match["path"]), class_name), text)
    head, _, rest = spec.partition(":")
    if head in STRATEGIES:
        return head, STRATEGIES[head], rest
    found = {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}
    if head in found:
        return head, _from_entry_point(found[head]), rest
    class_name, text = _split(rest)
    if class_name:
        return _named(_from_module(head, class_name), text)
    module, dot, class_name = head.rpartition(".")
    if dot and module and "/" not in head:
        return _named(_from_module(module, class_name), text)
    raise StrategyError(_unknown(head, [*STRATEGIES, *found]))


def _split(rest: str) -> tuple[str, str]:
    """Part `Class:key=value` into class and parameters, either of which may be missing."""
    first, _, others = rest.partition(":")
    return ("", rest) if "=" in first else (first.strip(), others)


def _named(cls: type[Strategy], text: str) -> tuple[str, type[Strategy], str]:
    words = _WORDS.sub("_", cls.__name__).lower()
    return words.removesuffix("strategy").strip("_") or words, cls, text


def _unknown(head: str, names: list[str]) -> str:
    file = Path(f"{head}.py")
    if file.is_file():
        return f"no strategy {head!r}; for the file write {file}:CLASS"
    if "/" in head:
        return f"no strategy {head!r}; a file is written path/to/file.py:CLASS"
    return f"no strategy {head!r}{way_out(head, names)}; or path/to/file.py:CLASS"


def _from_file(path: Path, class_name: str) -> type[Strategy]:
    try:
        source = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise StrategyError(
            f"can't read strategy file {path} (in {Path.cwd()}): {reason}"
        ) from error
    # Siblings of the file can be imported, as from a script; installed packages go first.
    folder = str(path.resolve().parent)
    if folder not in sys.path:
        sys.path.append(folder)
    module = types.ModuleType(f"{path.stem}_{zlib.crc32(str(path.resolve()).encode()):08x}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses and pickle look there
    try:
        # Compiled here and not by the import system: no cache that could outlive an edit.
        exec(compile(source, str(path), "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        del sys.modules[module.__name__]
        raise StrategyError(f"{path} can't be loaded: {_told(error, str(path))}") from error
    return _class_in(module, class_name, str(path))


def _from_module(name: str, class_name: str) -> type[Strategy]:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # as `python -m` has it; installed packages go first
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise StrategyError(f"{name} can't be imported: {_told(error, None)}") from error
        raise StrategyError(
            f"no module {error.name!r} for strategy {name}:{class_name}; is its package installed? "
            f"A file is written path/to/file.py:{class_name}"
        ) from error
    except (Exception, SystemExit) as error:  # the user's own code may raise anything
        raise StrategyError(f"{name} can't be imported: {_told(error, None)}") from error
    return _class_in(module, class_name, name)


def _from_entry_point(point: EntryPoint) -> type[Strategy]:
    try:
        found: object = point.load()
    except (Exception, SystemExit) as error:  # another package's code may raise anything
        raise StrategyError(
            f"strategy {point.name} of {point.value} can't be loaded: {_told(error, None)}"
        ) from error
    return _checked_class(found, point.name, point.value)


def _class_in(module: types.ModuleType, class_name: str, place: str) -> type[Strategy]:
    own = {
        key: value
        for key, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, Strategy) and value is not Strategy
    }
    here = [key for key, value in own.items() if value.__module__ == module.__name__]
    if not class_name:
        if len(here) != 1:
            listed = ", ".join(sorted(here)) or "none"
            raise StrategyError(
                f"say which class of {place}, as in {place}:CLASS; it has: {listed}"
            )
        return own[here[0]]
    if class_name not in vars(module):
        raise StrategyError(f"{place} has no class {class_name!r}{way_out(class_name, own)}")
    return _checked_class(vars(module)[class_name], class_name, place)


def _checked_class(found: object, name: str, place: str) -> type[Strategy]:
    if not isinstance(found, type):
        raise StrategyError(f"{name} of {place} is not a class, it is {found!r:.60}")
    if not issubclass(found, Strategy) or found is Strategy:
        raise StrategyError(
            f"{name} of {place} is not a strategy: it must be a subclass of holdfast's Strategy"
        )
    return found


def _file_of(cls: type[Strategy]) -> str | None:
    module = sys.modules.get(cls.__module__)
    return getattr(module, "__file__", None)


def _told(error: BaseException, file: str | None) -> str:
    """Say what went wrong, and at which line of the user's code where it is not on purpose."""
    if isinstance(error, StrategyError):
        return str(error)
    kind = type(error).__name__
    if isinstance(error, SyntaxError):
        # A null byte is found before there are lines.
        place = f" at {error.filename}:{error.lineno}" if error.lineno else ""
        return f"{kind}{place}: {error.msg}"
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename == file or (file is None and _is_users(frame.filename))
    ]
    place = f" at {frames[-1].filename}:{frames[-1].lineno}" if frames else ""
    return f"{kind}{place}: {error}"


def _is_users(filename: str) -> bool:
    """Tell code from the machinery that imported it."""
    return not filename.startswith("<frozen") and filename not in (__file__, importlib.__file__)
