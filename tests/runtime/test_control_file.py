"""The file that says where a session is: who may read it, and when it says nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from holdfast.model.errors import ConfigError
from holdfast.runtime.control_file import (
    Endpoint,
    NoSessionRunning,
    read_endpoint,
    remove_endpoint,
    write_endpoint,
)

HERE = Endpoint(url="http://127.0.0.1:1", token="abc", pid=os.getpid(), session="s")


def test_what_was_written_is_read_back(tmp_path):
    write_endpoint(tmp_path, HERE)

    assert read_endpoint(tmp_path) == HERE


def test_an_older_file_is_replaced_as_a_whole(tmp_path):
    (tmp_path / "control.json").write_text("old")
    (tmp_path / "control.json").chmod(0o644)
    write_endpoint(tmp_path, HERE)

    assert read_endpoint(tmp_path) == HERE
    assert [p.name for p in tmp_path.iterdir()] == ["control.json"]


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o660, 0o606, 0o700, 0o400])
def test_a_file_of_another_mode_is_refused(tmp_path, mode):
    write_endpoint(tmp_path, HERE).chmod(mode)

    with pytest.raises(ConfigError, match=rf"mode {mode:03o}, expected 600"):
        read_endpoint(tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_another_users_file_is_refused(tmp_path):
    os.chown(write_endpoint(tmp_path, HERE), 12345, 12345)

    with pytest.raises(ConfigError, match="belongs to user 12345"):
        read_endpoint(tmp_path)


def test_a_link_is_not_followed(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (tmp_path / "control.json").symlink_to(write_endpoint(inner, HERE))

    with pytest.raises(ConfigError, match="can't be read"):
        read_endpoint(tmp_path)


def test_a_folder_in_its_place_is_told_and_no_token_is_left_beside_it(tmp_path):
    (tmp_path / "control.json").mkdir()
    with pytest.raises(ConfigError, match="can't be written"):
        write_endpoint(tmp_path, HERE)
    with pytest.raises(ConfigError, match="no plain file"):
        read_endpoint(tmp_path)

    assert [p.name for p in tmp_path.iterdir()] == ["control.json"]


def test_a_pipe_in_its_place_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "control.json", 0o600)

    with pytest.raises(ConfigError, match="no plain file"):
        read_endpoint(tmp_path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"url": "x"}', '{"url":1,"token":2,"pid":"x"}'])
def test_a_file_that_says_nothing_is_refused(tmp_path, text):
    path = write_endpoint(tmp_path, HERE)
    path.write_text(text)

    with pytest.raises(ConfigError, match="does not say where a session is"):
        read_endpoint(tmp_path)


def test_a_dead_processes_file_counts_as_none(tmp_path):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    write_endpoint(tmp_path, Endpoint(url=HERE.url, token="t", pid=gone.pid, session="s"))

    with pytest.raises(NoSessionRunning, match="no session runs"):
        read_endpoint(tmp_path)


def test_no_file_names_the_way_to_start_a_session(tmp_path):
    with pytest.raises(NoSessionRunning, match=f"holdfast run --data-dir {tmp_path}"):
        read_endpoint(tmp_path)


def test_a_later_sessions_file_is_not_removed(tmp_path):
    path = write_endpoint(tmp_path, HERE)
    remove_endpoint(tmp_path, "another token")
    assert path.exists()

    remove_endpoint(tmp_path, HERE.token)
    assert not path.exists()


def test_the_token_is_not_shown_by_repr():
    assert "abc" not in repr(HERE)
    assert json.dumps({"token": HERE.token})  # but it is there
