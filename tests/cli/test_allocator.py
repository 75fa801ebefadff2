"""What a process has freed does not stay with it."""

import platform
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from pathlib import Path

from holdfast.cli.allocator import give_large_blocks_back

def held_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20

if sys.argv[1] == "given back":
    give_large_blocks_back()
large = bytes(8 * 2**20)
del large  # from here on glibc would cut blocks of that size from its heap
before = held_mb()
blocks, small = [], []
for _ in range(60):
    blocks.append(b"x" * 2**20)
    small.append(b"x" * 65536)  # a heap goes on to its last block
blocks.clear()
print(held_mb() - before)
"""


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or sys.platform != "linux",
    reason="the bound is glibc's, and what a process holds is read from Linux",
)
def test_large_blocks_go_back_to_the_system_when_they_are_free():
    assert _left_mb("given back") < 10
    assert _left_mb("left alone") > 40, "this machine's glibc gives back what is free: test another"


def _left_mb(what):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, what], capture_output=True, text=True, check=True
    )
    return float(done.stdout)
