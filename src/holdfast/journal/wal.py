"""Read SQLite's write-ahead log for frames that were written but can't be recovered.

SQLite recovers the log up to the last whole commit and drops what is behind it without a word.
Whole frames that no commit ends are none of its promises: a killed process leaves them.
Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">8I")  # magic, version, page size, number, salt 1, salt 2, checksum
_FRAME = struct.Struct(">6I")  # page, pages after commit, salt 1, salt 2, checksum
_MAGICS = {0x377F0682: "<", 0x377F0683: ">"}  # which says the checksum's byte order
_MASK = 0xFFFFFFFF

UNDER_WAY_MAX = 2_000
"""Frames that a commit under way may have; more are not looked into."""


def lost_frames(path: Path, recovered: int) -> str:
    """Say what of a log was lost when SQLite recovered so many frames of it; "" for nothing.

    Frames of a commit that was under way are no loss: it was never told to be done.
    """
    if not path.exists() or path.stat().st_size <= _HEADER.size:
        return ""
    with path.open("rb") as log:
        head = log.read(_HEADER.size)
        if not _is_whole(head):
            return f"the header of {path.name} is damaged, and with it the whole log is lost"
        header = _HEADER.unpack(head)
        found = _frames(log, header)
        if found <= recovered or _is_under_way(log, header, recovered, found):
            return ""
    return f"{found - recovered} of {found} frames of {path.name} are torn"


def _is_whole(head: bytes) -> bool:
    magic, *_, first, second = _HEADER.unpack(head)
    if magic not in _MAGICS:
        return False
    return _checksum(magic, head[:24], (0, 0)) == (first, second)


def _checksum(magic: int, data: bytes, before: tuple[int, int]) -> tuple[int, int]:
    order = _MAGICS[magic][0]
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    s0, s1 = before
    for even, odd in zip(words[::2], words[1::2], strict=True):
        s0 = (s0 + even + s1) & _MASK
        s1 = (s1 + odd + s0) & _MASK
    return s0, s1


def _is_under_way(log: BinaryIO, header: tuple[int, ...], recovered: int, found: int) -> bool:
    """Tell whether all frames behind the recovered ones are whole, and none ends a commit."""
    if found - recovered > UNDER_WAY_MAX:
        return False
    magic, page_size, salts = header[0], header[2], header[4:6]
    log.seek(_HEADER.size + max(recovered - 1, 0) * (_FRAME.size + page_size))
    before = (header[6], header[7])
    if recovered:
        before = _FRAME.unpack(log.read(_FRAME.size))[4:6]
        log.seek(page_size, 1)
    for _ in range(found - recovered):
        frame, page = log.read(_FRAME.size), log.read(page_size)
        if len(page) < page_size:
            return False
        _, commit, *salted, first, second = _FRAME.unpack(frame)
        before = _checksum(magic, frame[:8] + page, before)
        if commit or tuple(salted) != salts or before != (first, second):
            return False
    return True


def _frames(log: BinaryIO, header: tuple[int, ...]) -> int:
    """Count the frames of this generation, a cut-off one included.

    Frames of earlier generations, which a log that starts over leaves behind, differ in both
    salts; a frame that differs in one is of this generation and damaged.
    """
    page_size, salts = header[2], header[4:6]
    count = 0
    while len(frame := log.read(_FRAME.size)) == _FRAME.size:
        _, _, salt_1, salt_2, _, _ = _FRAME.unpack(frame)
        count += salt_1 == salts[0] or salt_2 == salts[1]
        log.seek(page_size, 1)
    return count
