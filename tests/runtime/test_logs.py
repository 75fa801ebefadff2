"""The logs: no secret gets into them, whatever road it takes, and they are bounded."""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import threading

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.errors import ConfigError
from holdfast.runtime import logs
from holdfast.runtime.logs import logging_to
from holdfast.runtime.notices import LogNotifier
from holdfast.runtime.redaction import MASK, Redactor
from tests.cli.desk import full_pipe

CANARY = "cAn4ry/with+odd=chars"
log = logging.getLogger("holdfast.test")


def written(folder):
    return (folder / "holdfast.log").read_text(encoding="utf-8")


def test_a_line_says_when_how_bad_who_and_what(tmp_path):
    with logging_to(tmp_path):
        log.warning("%s of %d", "three", 5)

    assert " WARNING  holdfast.test: three of 5\n" in written(tmp_path)


def _raise_with_canary():
    raise ValueError(f"refused {CANARY}")


def _exception():
    try:
        _raise_with_canary()
    except ValueError:
        log.exception("it failed")


ROADS = {
    "message": lambda: log.info(f"using {CANARY} now"),  # noqa: G004 - some caller will
    "argument": lambda: log.info("using %s now", CANARY),
    "dict argument": lambda: log.info("%(x)s", {"x": CANARY}),
    "exception": _exception,
    "repr": lambda: log.info("%r", {"headers": [CANARY]}),
    "url": lambda: log.info("GET /?k=cAn4ry%2Fwith%2Bodd%3Dchars"),
    "structlog": lambda: structlog.stdlib.get_logger("x").info("hi", where=f"<{CANARY}>"),
    "structlog by name": lambda: structlog.stdlib.get_logger("x").info("hi", api_key="cAn4ry2"),
}


@pytest.mark.parametrize("road", ROADS)
def test_a_known_secret_is_masked_on_every_road(tmp_path, capsys, road):
    with logging_to(tmp_path, console_level="INFO", secrets=(CANARY,)):
        ROADS[road]()

    assert MASK in written(tmp_path)
    assert "cAn4ry" not in written(tmp_path) + capsys.readouterr().err


def test_a_secret_that_is_learned_later_is_masked_from_then_on(tmp_path):
    with logging_to(tmp_path) as redactor:
        redactor.hide(CANARY)
        log.info("token-less %s", CANARY)

    assert "cAn4ry" not in written(tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "api_key=Q7x9",
        "apiSecret: Q7x9",
        "{'X-MBX-APIKEY': 'Q7x9'}",
        '{"signature": "Q7x9"}',
        "GET /order?symbol=B&signature=Q7x9&x=1",
        "Authorization: Bearer Q7x9",
        "listenKey=Q7x9",
        "postgresql://ann:Q7x9@db/holdfast",
        "password = 'Q7x9'",
        "token=b'Q7x9'",
    ],
)
def test_what_is_named_like_a_secret_is_masked_unknown(text):
    assert "Q7x9" not in Redactor().clean(text)


@pytest.mark.parametrize(
    "text",
    [
        "KeyError: 'BTCUSDT'",
        "BUY 0.01 BTCUSDT @ 50000 order hf.1.2.3.E.x",
        "http://127.0.0.1:8080/v1/orders",
        "the kill switch is engaged: smoke",
    ],
)
def test_what_is_no_secret_stays(text):
    assert Redactor().clean(text) == text


words = st.text(st.characters(codec="utf-8", exclude_characters="*"), min_size=4, max_size=40)


@given(secret=words, before=st.text(max_size=20), after=st.text(max_size=20))
def test_no_text_holds_a_known_secret_when_it_is_clean(secret, before, after):
    assert secret not in Redactor([secret]).clean(f"{before}{secret}{after}")


@pytest.mark.parametrize("around", [" {} ", "{}\n", "\t{}"])
def test_a_secret_is_hidden_without_what_stood_around_it_too(around):
    assert "wmzt-52-qxv" not in Redactor([around.format("wmzt-52-qxv")]).clean("it is wmzt-52-qxv.")


def test_values_are_masked_by_their_name():
    event = {"api_key": "Q7x9", "symbol": "BTCUSDT", "token": ""}

    assert Redactor().clean_values(event) == {"api_key": MASK, "symbol": "BTCUSDT", "token": ""}


def test_a_full_queue_costs_lines_and_says_how_many():
    records: queue.Queue[logging.LogRecord] = queue.Queue(2)
    handler = logs._BoundedHandler(records)
    for number in range(5):
        handler.handle(logging.makeLogRecord({"msg": f"line {number}", "levelno": 20}))
    while not records.empty():
        records.get_nowait()
    handler.handle(logging.makeLogRecord({"msg": "line 5", "levelno": 20}))

    assert [records.get_nowait().getMessage() for _ in range(2)] == [
        "3 lines were lost: the log could not keep up",
        "line 5",
    ]


def test_the_files_are_bounded(tmp_path, monkeypatch):
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 1000)
    with logging_to(tmp_path):
        for number in range(200):
            log.info("line %d %s", number, "x" * 50)

    files = list(tmp_path.iterdir())
    assert len(files) == logs.FILES_KEPT + 1
    assert all(file.stat().st_size <= 1000 for file in files)


def test_a_folder_that_can_not_be_made_names_the_setting(tmp_path):
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigError, match="log_dir"), logging_to(tmp_path / "file" / "logs"):
        pass


def test_a_disk_that_fails_is_told_once(tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    with logging_to(tmp_path):
        monkeypatch.setattr(logs._QuietFile, "shouldRollover", fail)
        log.info("one")
        log.info("two")

    assert capsys.readouterr().err.count("No space left") == 1


def test_no_level_is_so_high_that_it_hides_an_alarm(tmp_path, capsys):
    with logging_to(tmp_path, level="CRITICAL", console_level="WARNING"):
        log.error("not said")
        LogNotifier().notify("warning", "not said")
        LogNotifier().notify("alarm", "the books differ")

    assert "the books differ" in (tmp_path / "holdfast.log").read_text()
    told = capsys.readouterr().err
    assert "the books differ" in told
    assert "not said" not in told


def test_logging_is_as_it_was_afterwards(tmp_path):
    before = (logging.getLogger().level, list(logging.getLogger().handlers))
    with logging_to(tmp_path, level="DEBUG"):
        log.debug("inside")

    assert (logging.getLogger().level, list(logging.getLogger().handlers)) == before


def test_the_console_is_spared_tracebacks(tmp_path, capsys):
    with logging_to(tmp_path, console_level="WARNING"):
        _exception()

    assert "Traceback" in written(tmp_path)
    assert "it failed (the log has more)\n" in (shown := capsys.readouterr().err)
    assert "Traceback" not in shown


def test_loggers_that_somebody_else_shows_are_kept_off_the_console(tmp_path, capsys):
    with logging_to(tmp_path, console_level="WARNING", hidden_loggers=("holdfast.test",)):
        log.error("seen elsewhere")
        logging.getLogger("holdfast.other").error("seen here")

    assert "seen elsewhere" in written(tmp_path)
    assert "seen elsewhere" not in (shown := capsys.readouterr().err)
    assert "seen here" in shown


def test_an_stderr_that_nobody_reads_keeps_no_line_from_the_file(tmp_path, monkeypatch):
    """As that of `holdfast run 2>&1 | less`: the thread that writes both would wait there."""
    read_end, write_end = full_pipe()
    with os.fdopen(read_end, "rb") as reader, os.fdopen(write_end, "w") as unread:
        monkeypatch.setattr("sys.stderr", unread)

        def log_all():
            with logging_to(tmp_path, console_level="WARNING"):
                for number in range(3):
                    log.warning("line %d", number)

        logging_all = threading.Thread(target=log_all, daemon=True)
        logging_all.start()
        logging_all.join(5)
        is_held = logging_all.is_alive()
        monkeypatch.undo()
        os.set_blocking(reader.fileno(), False)
        while logging_all.is_alive():
            reader.read()
            logging_all.join(0.1)
    assert not is_held
    assert [f"line {number}" in written(tmp_path) for number in range(3)] == [True] * 3


def test_a_log_that_is_behind_at_the_end_is_waited_for(tmp_path, monkeypatch):
    """Its queue is full then, and the word that nothing follows has to find room in it too."""
    monkeypatch.setattr(logs, "QUEUE_MAX", 2)
    writes, may_write, emit = threading.Event(), threading.Event(), logs._QuietFile.emit

    def emit_late(handler, record):
        writes.set()
        may_write.wait(10)
        emit(handler, record)

    monkeypatch.setattr(logs._QuietFile, "emit", emit_late)
    with logging_to(tmp_path):
        log.info("line 0")
        assert writes.wait(10)
        for number in range(1, 5):
            log.info("line %d", number)
        threading.Timer(0.2, may_write.set).start()

    assert "line 0" in written(tmp_path)


def test_a_disk_that_is_full_for_log_and_stderr_alike_holds_nothing_up(tmp_path, monkeypatch):
    """As of `holdfast run 2>errors.txt`: to tell of the log's fault failed, and ended its thread."""
    monkeypatch.setattr(logs, "QUEUE_MAX", 2)
    (tmp_path / "holdfast.log").symlink_to("/dev/full")

    def log_all():
        with logging_to(tmp_path):
            for number in range(20):
                log.info("line %d", number)

    with open("/dev/full", "w", buffering=1) as full:  # noqa: PTH123
        monkeypatch.setattr("sys.stderr", full)
        logging_all = threading.Thread(target=log_all, daemon=True)
        logging_all.start()
        logging_all.join(5)
        is_held = logging_all.is_alive()
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            full.close()
    assert not is_held
