"""The process behind `Rotation`: reads on standard input which journal to archive, and does it."""

from __future__ import annotations

import os
import sys

import msgspec

from ..journal.archiving import archive
from ..model.errors import TradingError

IDLE = 10
"""How nice it is: whoever else wants the processor has most of it."""


class Asked(msgspec.Struct, frozen=True):
    """Which journal to archive, and how many old facts may stay in its table."""

    where: str
    spare: int


def main() -> int:
    """Archive until nothing is left to do; say what was done, a line an archive.

    A session that is killed leaves this process behind, and its successor finds the journal free.
    """
    os.nice(IDLE)
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Asked)
    try:
        while moved := archive(asked.where, spare=asked.spare, is_beside=True):
            _say(f"archived facts {moved.first} to {moved.last}: {moved.file}")
    except TradingError as error:
        _say(f"old facts were not archived: {error}")
        return 1
    return 0


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
