"""Find the command, run it, and turn whatever went wrong into one message and an exit code.

This is the one place where errors are caught.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ..model.errors import InputError, TradingError
from .commands import all_commands, overview
from .exit_codes import ExitCode, code_of, is_of_the_disk
from .output import NEWLINE, never_fail_on_letters, print_json, visible

Function = Callable[..., object]


def main(argv: Sequence[str] | None = None) -> int:
    """Run `holdfast` with its arguments and return the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    shows_traceback = "--debug" in arguments
    arguments = [argument for argument in arguments if argument != "--debug"]
    _have_streams()
    never_fail_on_letters()
    try:
        return _run(arguments)
    except BrokenPipeError as error:
        _fall_silent()
        return int(getattr(error, "exit_code", ExitCode.OK))
    except BaseException as error:
        if shows_traceback:
            raise
        return _fail(error, arguments)


def _have_streams() -> None:
    """Write into nothing where there is nobody to write to: a cron job may close its streams."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _fall_silent() -> None:
    """Whoever read our output has had enough; the interpreter must not write to it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(overview())
        return ExitCode.OK
    if arguments[0] in ("-V", "--version"):
        print(f"holdfast {_version()}")
        return ExitCode.OK
    if arguments[0] == "place":
        _refuse_below_zero(arguments[1:])
    result = _load(arguments[0])(arguments[1:], prog_name=f"holdfast {arguments[0]}")
    sys.stdout.flush()
    if result == ExitCode.INTERRUPTED:  # some versions of typer turn Ctrl-C into its code
        raise KeyboardInterrupt
    return result if isinstance(result, int) else ExitCode.OK


_BELOW_ZERO = re.compile(r"-\.?[0-9]")


def _refuse_below_zero(arguments: Sequence[str]) -> None:
    """Say of `place BTCUSDT SELL -0.01` what is wrong: it would be taken for an option -0.

    Raises:
        InputError: one of the first three arguments is a number below zero.
    """
    for given in arguments[:3]:
        if _BELOW_ZERO.match(given):
            raise InputError(f"place takes no number below zero, was {given}: BUY or SELL says it")


SIGNED = frozenset({"adjust"})
"""Commands with an argument that may be negative: it is no option."""


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("holdfast")
    except PackageNotFoundError:
        return "(not installed: run from its sources)"


def _load(name: str) -> Callable[..., object]:
    """Return a typer application of one command or group, and import no other."""
    from importlib import import_module

    import typer

    known = all_commands()
    if name not in known:
        close = get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]}? " if close else ""
        raise InputError(f"there is no command {name!r}; {hint}holdfast --help lists them all")
    module, _, attribute = known[name].place.partition(":")
    place = import_module(f".{module}", __package__)
    found: Function | dict[str, Function] = getattr(place, attribute)
    app = typer.Typer(
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
        help=known[name].summary,
    )
    if isinstance(found, dict):
        app.callback()(_group)
        for inner, function in found.items():
            app.command(inner)(function)
    else:
        is_signed = name in SIGNED
        app.command(name, context_settings={"ignore_unknown_options": is_signed})(found)

    def call(arguments: list[str], prog_name: str) -> object:
        given = arguments or (["--help"] if isinstance(found, dict) else [])
        try:
            return app(given, prog_name=prog_name, standalone_mode=False)
        except SystemExit as error:  # click's own answer to a pipe that was closed
            told = error.__context__
            raise (told if isinstance(told, BrokenPipeError) else BrokenPipeError()) from error
        except typer.Abort as error:  # and to Ctrl-C
            raise KeyboardInterrupt from error

    return call


def _group() -> None:
    """Make typer expect a command's name even where there is only one."""


def _fail(error: BaseException, arguments: Sequence[str]) -> int:
    """Say what went wrong: to people on stderr, to programs on stdout too."""
    code, text = _explained(error)
    try:
        _tell(error, code, text, arguments)
    except OSError:  # its reader has gone, or what it is written to is full
        _fall_silent()
    return code


def _tell(error: BaseException, code: ExitCode, text: str, arguments: Sequence[str]) -> None:
    if text:
        _say(f"holdfast: {text}")
    if code is ExitCode.VENUE and arguments[:1] == ["run"]:
        _say("holdfast doctor, with the same settings, examines the way to the venue")
    if "--json" in arguments:
        document: dict[str, Any] = {
            "status": "ERROR",
            "error": text,
            "kind": type(error).__name__,
            "exit_code": int(code),
        }
        print_json({**getattr(error, "document", {}), **document})


def _explained(error: BaseException) -> tuple[ExitCode, str]:
    from ..runtime.redaction import Redactor

    if isinstance(error, KeyboardInterrupt):
        return ExitCode.INTERRUPTED, "interrupted"
    clean = Redactor().clean
    if isinstance(error, TradingError):
        return code_of(error), clean(str(error) or type(error).__name__)
    if isinstance(error, OSError) and is_of_the_disk(error):
        where = f"{error.filename}: " if error.filename else ""
        return code_of(error), clean(f"{where}{error.strerror}: see to the disk, then start again")
    if _is_usage_error(error):
        context = getattr(error, "ctx", None)
        way_out = f"; see {context.command_path} --help" if context else ""
        return ExitCode.USAGE, f"{error.format_message().rstrip('.')}{way_out}"  # type: ignore[attr-defined]  # click's
    return (
        ExitCode.UNEXPECTED,
        f"unexpected {type(error).__name__}: {clean(str(error))}; --debug shows where",
    )


def _is_usage_error(error: BaseException) -> bool:
    if "typer" not in sys.modules:
        return False
    import typer

    # click's own base class, wherever this typer keeps it
    return isinstance(error, typer.BadParameter.__mro__[2])


def _say(text: str) -> None:
    if sys.stderr is not None:
        with contextlib.suppress(OSError):  # who does not hear it may read the document
            print(visible(text, keep=NEWLINE), file=sys.stderr, flush=True)
