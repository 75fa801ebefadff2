"""Run a journal with every write and sync to its files written down, and cut the power anywhere.

What was synced is there after a cut. Of what was not, any part may be: whole writes, their first
sectors, or nothing, whichever order they were made in.
"""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path
from random import Random
from typing import NamedTuple

HERE = Path(__file__).parent
SOURCES = HERE.parents[2] / "src"
SECTOR = 512
LIVES = 3
_HEAD = struct.Struct("<4q")


class Op(NamedTuple):
    """One thing that was done to a file."""

    kind: str
    name: str
    offset: int
    data: bytes


class Promise(NamedTuple):
    """What had been promised when the power went."""

    facts: int
    epoch: int


def build(directory: Path) -> Path:
    """Compile what is loaded before the C library."""
    library = directory / "trace.so"
    command = ["cc", "-shared", "-fPIC", "-O1", "-o", str(library), str(HERE / "trace.c"), "-ldl"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return library


def record(library: Path, directory: Path, durability: str, wrong: str = "") -> list[Op]:
    """Let processes keep a journal, one after the other, and return what it did to the disk."""
    disk, log = directory / "disk", directory / "trace.log"
    disk.mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(SOURCES),
        "LD_PRELOAD": str(library),
        "TRACE_DIR": str(disk) + "/",
        "TRACE_LOG": str(log),
    }
    command = [sys.executable, str(HERE / "child.py"), str(disk / "j.db"), durability, wrong]
    for _ in range(LIVES):
        subprocess.run(command, check=True, env=environment, timeout=120)
    return list(_read(log.read_bytes()))


def _read(log: bytes):
    at = 0
    while at < len(log):
        kind, name_size, offset, size = _HEAD.unpack_from(log, at)
        at += _HEAD.size
        name = Path(log[at : at + name_size].decode()).name
        at += name_size
        yield Op(chr(kind), name, offset, log[at : at + size])
        at += size


def promised(ops: list[Op]) -> Promise:
    """Return what the journal had promised when it had done this much."""
    facts = epoch = 0
    for op in ops:
        if op.name == "marks" and op.kind == "W":
            word, number = op.data.split()
            if word == b"e":
                epoch = int(number)
            else:
                facts = max(facts, int(number))
    return Promise(facts, epoch)


def cut(ops: list[Op], lots: Random, directory: Path) -> None:
    """Leave on the disk what a power cut leaves when this much was done."""
    synced = {op.name: number for number, op in enumerate(ops) if op.kind == "S"}
    files: dict[str, bytearray] = {}
    fate = lots.choice((0.0, 0.5, 0.5, 0.9, 1.0))
    for number, op in enumerate(ops):
        if op.name == "marks" or op.name.endswith(("-shm", ".lock")):
            continue
        is_safe = number < synced.get(op.name, -1)
        if not is_safe and op.kind in "WT" and lots.random() > fate:
            continue
        _apply(files, op, None if is_safe or lots.random() < 0.7 else lots)
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def _apply(files: dict[str, bytearray], op: Op, torn: Random | None) -> None:
    if op.kind in "UR":
        content = files.pop(op.name, None)
        if op.kind == "R" and content is not None:
            files[Path(op.data.decode()).name] = content
        return
    content = files.setdefault(op.name, bytearray())
    if op.kind == "T":
        del content[op.offset :]
        content.extend(b"\0" * (op.offset - len(content)))
    elif op.kind == "W":
        data = op.data
        if torn is not None and len(data) > SECTOR:
            data = data[: torn.randrange(len(data) // SECTOR + 1) * SECTOR]
        content.extend(b"\0" * (op.offset - len(content)))
        content[op.offset : op.offset + len(data)] = data
