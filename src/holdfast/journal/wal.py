"""Read SQLite's write-ahead log for frames that were written but can't be recovered.

SQLite recovers the log up to the last whole commit and drops what is behind it without a word.
Format: https://www.sqlite.org/fileformat2.html#the_write_ahead_log
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">8I")  # magic, version, page size, number, salt 1, salt 2, checksum
_FRAME = struct.Struct(">6I")  # page, pages after commit, salt 1, salt 2, checksum
_MAGICS = {0x377F0682: "<6I", 0x377F0683: ">6I"}  # which says the checksum's byte order
_MASK = 0xFFFFFFFF


def lost_frames(path: Path, recovered: int) -> str:
    """Say what of a log was lost when SQLite recovered so many frames of it; "" for nothing."""
    if not path.exists() or path.stat().st_size <= _HEADER.size:
        return ""
    with path.open("rb") as log:
        head = log.read(_HEADER.size)
        if not _is_whole(head):
            return f"the header of {path.name} is damaged, and with it the whole log is lost"
        found = _frames(log, _HEADER.unpack(head))
    if found <= recovered:
        return ""
    return f"{found - recovered} of {found} frames of {path.name} are torn"


def _is_whole(head: bytes) -> bool:
    magic, *_, first, second = _HEADER.unpack(head)
    if magic not in _MAGICS:
        return False
    words = struct.unpack(_MAGICS[magic], head[:24])
    s0 = s1 = 0
    for even, odd in zip(words[::2], words[1::2], strict=True):
        s0 = (s0 + even + s1) & _MASK
        s1 = (s1 + odd + s0) & _MASK
    return (s0, s1) == (first, second)


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
