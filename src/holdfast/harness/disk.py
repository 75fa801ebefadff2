"""The disk that the session writes to, and that can be filled.

Where this process may mount, the session's folder is a small file system in memory, which is filled
to its last page. Elsewhere the kernel is told that no file of the session's process may grow
(RLIMIT_FSIZE): writes fail then as well, with another error.
"""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import subprocess
from pathlib import Path

SIZE_MB = 128
CHUNK = b"\0" * 65536
GROWS = 32_768
"""How much a file may still grow where the limit stands in for a full disk."""

TOOL_S = 20.0
NAME = "holdfast-kill-"
"""How a disk is called in the list of mounts, its owner's process behind it."""

MOUNTS = Path("/proc/self/mounts")


def _run(*words: str) -> bool:
    found = shutil.which(words[0])
    if found is None:
        return False
    done = subprocess.run(  # noqa: S603 - our own words
        [found, *words[1:]], capture_output=True, timeout=TOOL_S, check=False
    )
    return done.returncode == 0


def sweep() -> None:
    """Give back the disks of harnesses that were killed: nobody could remove their folders."""
    with contextlib.suppress(OSError):
        for line in MOUNTS.read_text().splitlines():
            source, where = line.split()[:2]
            owner = source.removeprefix(NAME)
            if owner != source and not Path("/proc", owner).exists():
                _run("umount", "-l", where)


class Disk:
    """A folder with a disk of its own, as far as that may be had."""

    def __init__(self, folder: Path) -> None:
        sweep()
        self.folder = folder
        folder.mkdir(parents=True)
        name, size = f"{NAME}{os.getpid()}", f"size={SIZE_MB}m"
        self.is_mounted = _run("mount", "-t", "tmpfs", "-o", size, name, str(folder))

    @property
    def how(self) -> str:
        """Say what a full disk is here."""
        return "a tmpfs, filled" if self.is_mounted else "RLIMIT_FSIZE"

    def fill(self, pid: int) -> None:
        """Leave no room."""
        if not self.is_mounted:
            self._limit(pid, self._largest() + GROWS)
            return
        with (self.folder / "ballast").open("wb", buffering=0) as file:
            for chunk in (CHUNK, CHUNK[:4096]):
                with contextlib.suppress(OSError):
                    while file.write(chunk) == len(chunk):
                        pass

    def free(self, pid: int) -> None:
        """Give the room back."""
        (self.folder / "ballast").unlink(missing_ok=True)
        if not self.is_mounted:
            self._limit(pid, resource.RLIM_INFINITY)

    @staticmethod
    def _limit(pid: int, size: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))

    def _largest(self) -> int:
        sizes = [p.stat().st_size for p in self.folder.glob("holdfast.db-wal")]
        return max(sizes, default=0)

    def keep(self, where: Path) -> None:
        """Copy the folder's files to where they outlive it."""
        with contextlib.suppress(OSError, shutil.Error):
            shutil.copytree(self.folder, where, dirs_exist_ok=True)

    def close(self) -> None:
        """Give the disk back."""
        if self.is_mounted and not _run("umount", str(self.folder)):
            _run("umount", "-l", str(self.folder))
