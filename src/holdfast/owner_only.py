"""Folders and files that nobody but their owner may read, whatever the umask says.

What is there already stays as it is: whoever made it has their reasons. A folder that lets its
group in, and nobody else, is meant so: what is made in it does as well, as far as the umask lets.
So is an older database that others may read: what is made beside it they may read too. A file that
root makes in somebody's folder is theirs, or it would shut them out of their own journal.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

FOLDER = 0o700
FILE = 0o600
GROUP_LOOKS = 0o050
OTHERS = 0o007
READERS = 0o044


def make_folder(path: Path) -> None:
    """Make a folder where there is none, and those above it that are missing.

    Raises:
        OSError: it can't be made.
    """
    missing = [each for each in path.parents if not each.exists()]
    for each in (*reversed(missing), path):
        each.mkdir(mode=FOLDER | (0o070 if _is_of_group(each.parent) else 0), exist_ok=True)


def make_file(path: str | Path) -> None:
    """Make an empty file where there is none.

    Raises:
        OSError: it can't be made.
    """
    try:
        os.close(open_file(path, os.O_WRONLY | os.O_EXCL))
    except FileExistsError:
        return


def open_file(path: str | Path, flags: int, *, beside: Path | None = None) -> int:
    """Open a file that is made where there is none, and return its descriptor.

    Args:
        beside: the database that it belongs to, whose readers are its own.

    Raises:
        OSError: it can't be made, or opened.
    """
    folder = Path(path).parent
    fd = os.open(path, flags | os.O_CREAT, _mode(folder))
    try:
        _let_in(fd, folder, beside)
    except OSError:  # a file system that knows no owners: it stays the narrower
        return fd
    return fd


def _let_in(fd: int, folder: Path, beside: Path | None) -> None:
    """Give a file to whoever has the folder, and its database's readers their right to it."""
    owner = folder.stat()
    if os.geteuid() == 0 != owner.st_uid and os.fstat(fd).st_uid == 0:
        os.fchown(fd, owner.st_uid, owner.st_gid)
    if beside is not None and (known := beside.stat().st_mode & READERS):
        os.fchmod(fd, stat.S_IMODE(os.fstat(fd).st_mode) | known)


def _mode(folder: Path) -> int:
    return FILE | (0o060 if _is_of_group(folder) else 0)


def _is_of_group(folder: Path) -> bool:
    mode = folder.stat().st_mode
    return mode & GROUP_LOOKS == GROUP_LOOKS and not mode & OTHERS
