"""Real processes to kill: a child that appends facts and acknowledges each on standard output.

Run as a script with a journal's place and durability; every line on standard input is one more
child. They are forked from one parent, since each import of the libraries would take a second.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Nursery:
    """Starts children one after the other, from the side of the test."""

    def __init__(self, where, durability="process"):
        environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
        self._parent = subprocess.Popen(
            [sys.executable, __file__, str(where), durability],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        assert self._parent.stdin
        assert self._parent.stdout
        self._orders, self._answers = self._parent.stdin, self._parent.stdout

    def start(self):
        """Start a child; return its process id once it owns the journal."""
        self._orders.write("\n")
        self._orders.flush()
        return int(self._line())

    def acknowledged(self):
        """Return the next sequence that the child says is committed; 0 once it is dead.

        A child that was fenced says -1 and dies.
        """
        return int(self._line())

    def close(self):
        self._orders.close()
        self._parent.wait()
        self._answers.close()

    def _line(self):
        line = self._answers.readline()
        assert line, "the nursery died"
        return line


def _live(where, durability):
    import asyncio

    from holdfast.journal import open_journal
    from holdfast.model.errors import Fenced
    from tests.journal.samples import fills

    async def append_for_ever(journal, give_up):
        journal.on_failure = give_up
        while True:
            sequence = journal.sequence
            # Batches of one to three, as an engine makes them.
            batch = fills(1 + sequence % 3, start=sequence + 1)
            done = asyncio.Event()
            journal.append(batch, done.set)
            await done.wait()
            os.write(1, b"%d\n" % (sequence + len(batch)))

    def give_up(error):
        os.write(1, b"-1\n" if isinstance(error, Fenced) else b"-2\n")
        os._exit(1)

    journal = open_journal(where, durability=durability)
    os.write(1, b"%d\n" % os.getpid())
    asyncio.run(append_for_ever(journal, give_up))


def _main():
    where, durability = sys.argv[1:]
    for module in ("holdfast.journal.inspect", "tests.journal.samples"):
        importlib.import_module(module)
    while sys.stdin.readline():
        child = os.fork()
        if not child:
            _live(where, durability)
        os.waitpid(child, 0)
        os.write(1, b"0\n")


if __name__ == "__main__":
    _main()
