"""A data folder knows whose records it holds, whatever ends a process that says so."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from holdfast.model.errors import ConfigError
from holdfast.model.values import MAIN, AccountId
from holdfast.runtime.account_mark import claim_folder

TESTNET, MAINNET = "binance_futures testnet", "binance_futures mainnet"


def test_a_mark_that_can_not_be_written_leaves_the_one_that_was_there(tmp_path, monkeypatch):
    """A disk that is full, or a power cut, must not make a testnet's records anybody's."""
    claim_folder(tmp_path, {MAIN: TESTNET}, has_records=True)

    def full(file, *_, **__):
        file.open("w").close()  # emptied, and nothing goes in
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(ConfigError, match="No space left"):
        claim_folder(tmp_path, {MAIN: TESTNET, AccountId("b"): TESTNET}, has_records=True)
    monkeypatch.undo()

    with pytest.raises(ConfigError, match="holds the records of binance_futures testnet"):
        claim_folder(tmp_path, {MAIN: MAINNET}, has_records=True)


def test_a_mark_that_says_all_is_left_alone(tmp_path):
    claim_folder(tmp_path, {MAIN: TESTNET}, has_records=True)
    os.utime(tmp_path / "account", (1, 1))
    claim_folder(tmp_path, {MAIN: TESTNET}, has_records=True)

    assert (tmp_path / "account").stat().st_mtime == 1
    assert [each.name for each in tmp_path.iterdir()] == ["account"]
