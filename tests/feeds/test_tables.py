"""Tables in every layout and packing that archives come in, and every way in which they break."""

from __future__ import annotations

import gzip
import zipfile
from decimal import Decimal

import pytest

from holdfast.feeds import RecordingFeed, read_recording
from holdfast.feeds.files import BLOCK_BYTES
from holdfast.model.errors import ConfigError, FeedError
from holdfast.model.market import Bar, Funding, MarketData, MarkPrice, Quote, Trade
from holdfast.model.values import Symbol

BTC = Symbol("BTCUSDT")

T = 1_723_075_200_000  # ms, a whole minute
MS = 1_000_000
KLINES_12 = (
    f"{T},60000.1,60010.0,59990.0,60005.0,12.345,{T + 59999},740000.0,42,6.0,360000.0,0\n"
    f"{T + 60000},60005.0,60006.0,60004.0,60004.5,1.000,{T + 119999},60000.0,7,0.5,30000.0,0\n"
)
KLINES_12_HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
TRADES = f"501,60000.1,0.002,120.0,{T},true\n502,60000.2,0.5,30000.1,{T + 5},false\n"
TRADES_HEADER = "id,price,qty,quote_qty,time,is_buyer_maker\n"
AGG_HEADER = (
    "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
)
AGG = f"77,60000.1,0.002,501,501,{T},true\n78,60000.2,0.5,502,503,{T + 5},false\n"
KLINES_6 = (
    f"open_time,open,high,low,close,volume\n{T},1.5,2,1,1.75,10\n{T + 60000},1.75,1.8,1.7,1.7,0\n"
)


def put(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    return path


def read(path, *symbols):
    return list(read_recording(path, symbols))


TWO_TRADES = [
    Trade(symbol=BTC, ts=T * MS, price=60000.1, qty=0.002, trade_id=501, is_buyer_maker=True),
    Trade(symbol=BTC, ts=(T + 5) * MS, price=60000.2, qty=0.5, trade_id=502),
]


@pytest.mark.parametrize("header", [TRADES_HEADER, "", "\n"])
def test_trades_are_read_with_and_without_a_header(tmp_path, header):
    path = put(tmp_path, "BTCUSDT-trades-2024-08-08.csv", header + TRADES)

    assert read(path) == TWO_TRADES


def test_spot_trades_have_a_column_more_and_python_booleans(tmp_path):
    text = TRADES.replace("true", "True,True").replace("false", "False,True")

    assert read(put(tmp_path, "BTCUSDT-trades-2024-08-08.csv", text)) == TWO_TRADES


@pytest.mark.parametrize("header", [AGG_HEADER, ""])
def test_aggregated_trades_are_trades(tmp_path, header):
    path = put(tmp_path, "BTCUSDT-aggTrades-2024-08-08.csv", header + AGG)

    assert [(t.trade_id, t.price, t.is_buyer_maker) for t in read(path)] == [
        (77, 60000.1, True),
        (78, 60000.2, False),
    ]


@pytest.mark.parametrize("unit", ["", "000", "000000"])
def test_times_are_milli_micro_or_nanoseconds(tmp_path, unit):
    text = TRADES.replace(f"{T},", f"{T}{unit},").replace(f"{T + 5},", f"{T + 5}{unit},")

    assert read(put(tmp_path, "BTCUSDT-trades.csv", text)) == TWO_TRADES


MIXED = {
    "BTCUSDT-trades.csv": f"1,60000.1,1,1,{T},true\n2,60000.1,1,1,{T + 5}000,true\n",
    "BTCUSDT-bookTicker.csv": (
        f"1,1.0,1,2.0,1,{T},{T}\n2,1.0,1,2.0,1,{T + 5}000000,{T + 5}000000\n"
    ),
    "BTCUSDT-1m.csv": f"{T},1.5,2,1,1.75,10\n{T + 60_000}000,1.5,2,1,1.75,10\n",
    "BTCUSDT-funding.csv": f"{T},0.0001\n{T + 28_800_000}000,0.0001\n",
}


@pytest.mark.parametrize("name", MIXED)
def test_a_time_in_another_unit_than_the_first_is_refused(tmp_path, name):
    """Joined files of before and after Binance's change of units must not end at the seam."""
    with pytest.raises(FeedError, match=r":2: time \d+ is past the year 2262 .* milliseconds"):
        read(put(tmp_path, name, MIXED[name]))


@pytest.mark.parametrize("end", ["\n", "\n\n", "\r\n\r\n", "\n" * (BLOCK_BYTES * 2)])
def test_empty_lines_at_the_end_do_no_harm_wherever_a_block_ends(tmp_path, end):
    row = f"501,60000.1,0.002,120.0,{T},true\n"
    count = BLOCK_BYTES // len(row)
    last = row.replace("120.0", "120." + "0" * (1 + BLOCK_BYTES - count * len(row)))

    found = read(put(tmp_path, "BTCUSDT.csv", row * (count - 1) + last + end))

    assert len(found) == count


@pytest.mark.parametrize("header", [KLINES_12_HEADER, ""])
def test_archive_klines_are_bars(tmp_path, header):
    first, second = read(put(tmp_path, "BTCUSDT-1m-2024-08.csv", header + KLINES_12))

    assert first == Bar(
        symbol=BTC,
        timeframe="1m",
        open_ts=T * MS,
        ts=(T + 60000) * MS,
        open=60000.1,
        high=60010.0,
        low=59990.0,
        close=60005.0,
        volume=12.345,
        trade_count=42,
    )
    assert second.ts == (T + 120000) * MS


def test_the_time_frame_is_inferred_from_the_spacing_where_the_name_has_none(tmp_path):
    text = KLINES_6.replace(str(T + 60000), str(T + 900_000))

    assert {bar.timeframe for bar in read(put(tmp_path, "ETHUSDT.csv", text))} == {"15m"}


def test_mark_price_klines_are_known_by_their_folder(tmp_path):
    (tmp_path / "markPriceKlines").mkdir()
    path = put(tmp_path / "markPriceKlines", "BTCUSDT-1m-2024-08.csv", KLINES_12)

    assert read(path)[0] == MarkPrice(symbol=BTC, ts=(T + 60000) * MS, mark_price=60005.0)


def test_index_price_klines_are_refused(tmp_path):
    (tmp_path / "indexPriceKlines").mkdir()
    path = put(tmp_path / "indexPriceKlines", "BTCUSDT-1m-2024-08.csv", KLINES_12)

    with pytest.raises(FeedError, match="index prices"):
        read(path)


def test_best_quotes_are_read(tmp_path):
    text = (
        "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,"
        f"event_time\n9,60000.1,1.5,60000.2,2,{T},{T + 3}\n"
    )

    (quote,) = read(put(tmp_path, "BTCUSDT-bookTicker-2024-08-08.csv", text))

    assert quote == Quote(symbol=BTC, ts=T * MS, bid=60000.1, bid_qty=1.5, ask=60000.2, ask_qty=2.0)


@pytest.mark.parametrize(
    "text",
    [
        f"calc_time,funding_interval_hours,last_funding_rate\n{T},8,-0.00002474\n",
        f"{T},8,-2.474e-05\n",
        f"funding_time_ms,rate\n{T},-2.474e-05\n",
    ],
)
def test_funding_rates_are_read(tmp_path, text):
    path = put(tmp_path, "BTCUSDT-fundingRate-2024-08.csv", text)

    assert read(path) == [Funding(symbol=BTC, ts=T * MS, rate=-2.474e-05)]


def test_packed_files_read_as_plain_ones_whatever_they_are_called(tmp_path):
    plain = put(tmp_path, "BTCUSDT-trades-1.csv", TRADES_HEADER + TRADES)
    packed = tmp_path / "BTCUSDT-trades-2.csv"  # gzip without saying so
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    archive = tmp_path / "BTCUSDT-trades-3.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.write(plain, "BTCUSDT-trades.csv")

    assert read(plain) == read(packed) == read(archive) == TWO_TRADES


def test_line_ends_of_windows_and_a_missing_last_one_do_no_harm(tmp_path):
    text = (TRADES_HEADER + TRADES).replace("\n", "\r\n").rstrip()

    assert read(put(tmp_path, "BTCUSDT-trades.csv", text)) == TWO_TRADES


def test_numbers_that_json_has_no_word_for_are_numbers_all_the_same(tmp_path):
    path = put(tmp_path, "BTCUSDT-trades.csv", f"501,+60000.1,.002,,{T},TRUE\n\n")

    assert read(path) == TWO_TRADES[:1]


def test_the_fast_and_the_careful_reading_agree(tmp_path):
    rows = "".join(f"{i},{60000 + i / 10},{i + 1},0,{T + i},true\n" for i in range(9000))
    fast = put(tmp_path, "BTCUSDT-trades-1.csv", rows)
    careful = put(tmp_path, "BTCUSDT-trades-2.csv", rows.replace(",0,", ",,"))

    assert len(read(fast)) == 9000
    assert read(fast) == read(careful)


def test_tick_and_lot_are_guessed_by_the_decimals_written(tmp_path):
    text = f"1,60000.10,0.50000000,1,{T},true\n2,60000,0.002,1,{T},true\n"

    (contract,) = RecordingFeed(put(tmp_path, "BTCUSDT-trades.csv", text)).instruments()

    assert (contract.tick, contract.lot) == (Decimal("0.1"), Decimal("0.001"))
    assert (contract.base_asset, contract.quote_asset) == ("BTC", "USDT")


NOTHING = "500,60000.1,0,0,{T},true\n"


@pytest.mark.parametrize("odd", ["", "500,60000.1,.0,0,{T},true\n"])
def test_a_trade_of_no_quantity_is_skipped_and_counted(tmp_path, odd):
    """Binance's archive has some. An odd number makes the block be read line by line."""
    first, second = TRADES.splitlines(keepends=True)
    text = TRADES_HEADER + (NOTHING + first + NOTHING + odd).replace("{T}", str(T)) + second
    feed = RecordingFeed(put(tmp_path, "BTCUSDT-trades.csv", text))

    assert [trade for chunk in feed.read() for trade in chunk] == TWO_TRADES
    assert feed.skips == {"trades of no quantity": 3 if odd else 2}


def test_a_block_of_trades_of_no_quantity_shows_nothing(tmp_path):
    first, second = TRADES.splitlines(keepends=True)
    count = 2 * BLOCK_BYTES // len(NOTHING)
    text = TRADES_HEADER + first + NOTHING.replace("{T}", str(T + 1)) * count + second

    assert read(put(tmp_path, "BTCUSDT-trades.csv", text)) == TWO_TRADES


def test_a_line_behind_a_trade_of_no_quantity_is_named_by_its_own_number(tmp_path):
    text = TRADES_HEADER + (NOTHING * 2).replace("{T}", str(T)) + TRADES + "503,0,1,1,9,true\n"

    with pytest.raises(FeedError, match=r"BTCUSDT-trades\.csv:6: "):
        read(put(tmp_path, "BTCUSDT-trades.csv", text))


def test_a_table_of_nothing_but_trades_of_no_quantity_is_refused(tmp_path):
    path = put(tmp_path, "BTCUSDT-trades.csv", TRADES_HEADER + NOTHING.replace("{T}", str(T)))

    with pytest.raises(FeedError, match="nothing but trades of no quantity"):
        read(path)


BROKEN = {
    "price_nan": ("501,nan,1,1,{T},true\n", "price must be a number, was 'nan'"),
    "price_inf": ("501,inf,1,1,{T},true\n", "price must be a number, was 'inf'"),
    "price_huge": ("501,1e300,1,1,{T},true\n", "price must be above 0 and below"),
    "price_zero": ("501,0.0,1,1,{T},true\n", "price must be above 0"),
    "price_negative": ("501,-5,1,1,{T},true\n", "price must be above 0"),
    "quantity_negative": ("501,5,-1,1,{T},true\n", "a quantity must be 0 to"),
    "no_number": ("501,abc,1,1,{T},true\n", "price must be a number, was 'abc'"),
    "cell_empty": ("501,,1,1,{T},true\n", "price must be a number, was ''"),
    "time_with_point": ("501,5,1,1,{T}.5,true\n", "time must be a whole number"),
    "no_boolean": ("501,5,1,1,{T},maybe\n", "is_buyer_maker must be true or false, was 'maybe'"),
    "column_missing": ("501,5,1,{T},true\n", "expected 6 columns, found 5"),
    "column_too_many": ("501,5,1,1,{T},true,9\n", "expected 6 columns, found 7"),
    "two_lines_in_one": ("501,5,1,1,{T},true],[502,5,1,1,{T},true\n", "found 12"),
    "line_torn": ("501,5,1", "expected 6 columns, found 3"),
    "word_torn": ("501,5,1,1,{T},tr", "is_buyer_maker must be true or false, was 'tr'"),
    "time_backwards": ("501,5,1,1,1723075100000,true\n", "sort the file by time"),
    "no_text": ("\x00\x01,5,1,1,{T},true\n", "id must be a whole number"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_line_is_named_and_explained(tmp_path, name):
    line, problem = BROKEN[name]
    path = put(
        tmp_path, "BTCUSDT-trades.csv", TRADES_HEADER + TRADES + line.replace("{T}", str(T + 9))
    )

    with pytest.raises(FeedError) as raised:
        read(path)
    assert f"{path}:4: " in str(raised.value)
    assert problem in str(raised.value)


def test_a_broken_line_far_into_a_file_is_named(tmp_path):
    rows = [f"{i},5,1,1,{T + i},true\n" for i in range(20_000)]
    rows[15_000] = f"9,-5,1,1,{T + 15_000},true\n"
    path = put(tmp_path, "BTCUSDT-trades.csv", TRADES_HEADER + "".join(rows))

    with pytest.raises(FeedError, match=r"BTCUSDT-trades\.csv:15002: price"):
        read(path)


def test_lines_above_a_broken_one_are_shown_first(tmp_path):
    rows = "".join(f"{i},5,1,1,{T + i},true\n" for i in range(10_000))
    feed = read_recording(put(tmp_path, "BTCUSDT-trades.csv", rows + "torn"))
    shown: list[MarketData] = []

    with pytest.raises(FeedError):
        shown.extend(feed)
    assert len(shown) > 5_000


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("{S},1,2,1.5,1,10\n", "outside of low"),
        ("{S},1,0.5,0.5,1,10\n", "outside of low"),
        ("{S},1,2,1,1,-1\n", "quantity must be 0"),
        (f"{T},1,2,1,1,1\n", "drop what is doubled"),
        (f"{T + 30000},1,2,1,1,1\n", "sort the file by time"),
        ("{S},1,2,1,1,nan\n", "volume must be a number"),
    ],
)
def test_a_bar_that_can_not_be_is_refused(tmp_path, line, problem):
    text = KLINES_6 + line.replace("{S}", str(T + 120_000))

    with pytest.raises(FeedError, match=problem) as raised:
        read(put(tmp_path, "BTCUSDT-1m.csv", text))
    assert ":4: " in str(raised.value)


def test_a_crossed_quote_is_refused(tmp_path):
    path = put(tmp_path, "BTCUSDT-bookTicker.csv", f"9,60000.2,1,60000.1,2,{T},{T}\n")

    with pytest.raises(FeedError, match="not below the ask"):
        read(path)


def test_a_funding_rate_of_more_than_all_is_refused(tmp_path):
    path = put(tmp_path, "BTCUSDT-funding.csv", f"funding_time_ms,rate\n{T},1.5\n")

    with pytest.raises(FeedError, match="rate must be a fraction"):
        read(path)


def test_torn_gzip_is_an_error_and_not_the_end(tmp_path):
    rows = "".join(f"{i},{i + 1}.5,1,1,{T + i * 7919 // 13},true\n" for i in range(60_000))
    path = tmp_path / "BTCUSDT-trades.csv.gz"
    path.write_bytes(gzip.compress(rows.encode())[:-2000])

    with pytest.raises(FeedError, match=r"BTCUSDT-trades\.csv\.gz:\d{3,}: .*torn"):
        read(path)


def test_gzip_with_a_flipped_bit_is_an_error(tmp_path):
    data = bytearray(gzip.compress((TRADES_HEADER + TRADES).encode()))
    data[-6] ^= 1  # in the checksum
    path = tmp_path / "BTCUSDT-trades.csv.gz"
    path.write_bytes(data)

    with pytest.raises(FeedError, match="torn"):
        read(path)


def test_torn_zip_is_an_error(tmp_path):
    path = tmp_path / "BTCUSDT-trades.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("BTCUSDT-trades.csv", TRADES * 1000)
    path.write_bytes(path.read_bytes()[:-40])

    with pytest.raises(FeedError, match="torn"):
        read(path)


def test_a_locked_zip_and_an_empty_one_are_refused(tmp_path):
    path = tmp_path / "BTCUSDT-trades.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.csv", TRADES)
    data = bytearray(path.read_bytes())
    data[6] |= 1  # the flag of a file that a password guards, in its head ...
    data[data.index(b"PK\x01\x02") + 8] |= 1  # ... and in the list of files
    path.write_bytes(data)
    with pytest.raises(FeedError, match=r"trades\.zip: .*encrypted"):
        read(path)

    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(FeedError, match="expected one file in the archive, found 0"):
        read(path)


def test_zip_with_two_files_is_refused(tmp_path):
    path = tmp_path / "BTCUSDT-trades.zip"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("a.csv", TRADES)
        file.writestr("b.csv", TRADES)

    with pytest.raises(FeedError, match="expected one file in the archive, found 2"):
        read(path)


@pytest.mark.parametrize("content", [b"", gzip.compress(b"", mtime=0), b"\n\n"])
def test_an_empty_file_is_an_error(tmp_path, content):
    path = tmp_path / "BTCUSDT-trades.csv"
    path.write_bytes(content)

    with pytest.raises(FeedError, match="the file is empty"):
        read(path)


def test_nothing_but_a_header_is_an_error(tmp_path):
    with pytest.raises(FeedError, match="nothing but a header"):
        read(put(tmp_path, "BTCUSDT-trades.csv", TRADES_HEADER))


@pytest.mark.parametrize("text", ["date,temperature\n2024,5\n", "1,2,3,4\n", "hello\n"])
def test_an_unknown_table_is_refused_with_what_was_expected(tmp_path, text):
    with pytest.raises(FeedError, match="open_time,open,high,low,close,volume"):
        read(put(tmp_path, "BTCUSDT.csv", text))


def test_times_in_seconds_are_refused(tmp_path):
    with pytest.raises(FeedError, match="milli-, micro- or nanoseconds"):
        read(put(tmp_path, "BTCUSDT-trades.csv", "501,5,1,1,1723075200,true\n"))


def test_bars_of_a_month_are_refused(tmp_path):
    with pytest.raises(FeedError, match="month"):
        read(put(tmp_path, "BTCUSDT-1mo-2024-08.csv", KLINES_12))


def test_a_file_without_lines_is_given_up_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr("holdfast.feeds.files.LINE_BYTES_MAX", 1 << 17)
    path = tmp_path / "BTCUSDT.csv"
    path.write_bytes(b"\xff" * (1 << 18))

    with pytest.raises(FeedError, match="no market data"):
        read(path)


def test_a_table_that_names_no_symbol_is_of_the_only_one_asked_for(tmp_path):
    path = put(tmp_path, "x.csv", TRADES)

    assert read(path, "BTCUSDT") == TWO_TRADES


def test_a_table_that_names_no_symbol_is_refused_when_none_is_asked_for(tmp_path):
    with pytest.raises(ConfigError, match="does not say of which symbol"):
        read(put(tmp_path, "x.csv", TRADES))


# What a table says of itself is held against its name


@pytest.mark.parametrize("column", ["symbol", "pair"])
@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("name", ["BTCUSDT-trades.csv", "x.csv"])
def test_a_row_of_another_symbol_is_refused(tmp_path, column, quote, name):
    """Trades of two contracts in one file would be played as one market's."""
    rows = [
        f"{quote}{symbol}{quote},{row}"
        for symbol, row in zip(("BTCUSDT", "ETHUSDT"), TRADES.splitlines(), strict=True)
    ]
    path = put(tmp_path, name, f"{column},{TRADES_HEADER}" + "\n".join(rows))

    with pytest.raises(FeedError, match=rf"csv:3: {column} is ETHUSDT, .* BTCUSDT"):
        read(path, "BTCUSDT")


@pytest.mark.parametrize(
    "spelling", ["BTCUSDT", "btcusdt", "BTC/USDT", "BTC-USDT", "BTC/USDT:USDT", ""]
)
def test_a_symbol_is_known_by_any_spelling_of_it(tmp_path, spelling):
    rows = "".join(f"{spelling},{row}\n" for row in TRADES.splitlines())
    path = put(tmp_path, "BTCUSDT-trades.csv", "symbol," + TRADES_HEADER + rows)

    assert read(path) == TWO_TRADES


def test_the_pair_of_a_delivery_contract_is_its_name_without_the_day(tmp_path):
    text = KLINES_6.replace("\n", ",BTCUSDT\n").replace("volume,BTCUSDT", "volume,pair", 1)

    assert len(read(put(tmp_path, "BTCUSDT_240927-1m.csv", text))) == 2
    with pytest.raises(FeedError, match=r"pair is BTCUSDT, .* ETHUSDT_240927"):
        read(put(tmp_path, "ETHUSDT_240927-1m.csv", text))


HOURS = "".join(
    f"{T + n * 3_600_000},60000.1,60010.0,59990.0,60005.0,1,{T + (n + 1) * 3_600_000 - 1},1,4,1,1,0\n"
    for n in range(2)
)


@pytest.mark.parametrize("header", [KLINES_12_HEADER, ""])
@pytest.mark.parametrize("folder", ["klines", "markPriceKlines"])
def test_bars_that_are_longer_than_the_name_says_are_refused(tmp_path, header, folder):
    """Played as minutes, an hour's close would be shown 59 minutes before it was made."""
    (tmp_path / folder).mkdir()
    path = put(tmp_path / folder, "BTCUSDT-1m-2024-08.csv", header + HOURS)

    with pytest.raises(FeedError, match=r"csv:\d: .* bar of 1h, .* 1m"):
        read(path)


def test_a_bar_of_another_length_far_into_a_file_is_named(tmp_path):
    hour = HOURS.splitlines()[1]
    path = put(tmp_path, "BTCUSDT-1m.csv", KLINES_12 + hour)

    with pytest.raises(FeedError, match=r"csv:3: .* bar of 1h"):
        read(path)


@pytest.mark.parametrize(
    ("unit", "late"),
    [("", 0), ("", 1), ("000", 0), ("000", 1), ("000", 1000), ("000000", 0), ("000000", 1)],
)
def test_bars_may_end_a_moment_before_the_next_one_begins(tmp_path, unit, late):
    def row(opened):
        return f"{opened}{unit},1,1,1,1,1,{int(f'{opened + 60_000}{unit}') - late}\n"

    text = "open_time,open,high,low,close,volume,close_time\n" + row(T) + row(T + 60_000)
    assert len(read(put(tmp_path, "BTCUSDT-1m.csv", text))) == 2


@pytest.mark.parametrize("closes", ["", "null", "2024-08-08 00:00:59"])
def test_an_end_that_is_no_number_says_nothing(tmp_path, closes):
    text = KLINES_6.replace("\n", f",{closes}\n").replace(
        f"volume,{closes}", "volume,close_time", 1
    )

    assert len(read(put(tmp_path, "BTCUSDT-1m.csv", text))) == 2


def test_without_a_name_the_end_of_a_bar_tells_its_time_frame(tmp_path):
    first = KLINES_12.splitlines()[0]
    later = first.replace(str(T), str(T + 900_000)).replace(str(T + 59_999), str(T + 959_999))
    path = put(tmp_path, "BTCUSDT.csv", f"{first}\n{later}\n")

    assert [bar.timeframe for bar in read(path)] == ["1m", "1m"]


def minutes(*numbers):
    rows = "".join(f"{T + n * 60_000},1,2,1,1.5,3\n" for n in numbers)
    return "open_time,open,high,low,close,volume\n" + rows


@pytest.mark.parametrize(
    "numbers", [range(0, 240, 60), range(0, 2400, 60), [0, 5, 10, 20, 25, 30, 40, 45, 55]]
)
def test_rows_that_lie_further_apart_than_the_name_says_are_refused(tmp_path, numbers):
    path = put(tmp_path, "BTCUSDT-1m.csv", minutes(*numbers))

    with pytest.raises(FeedError, match=r"name says 1m, .* (5m|1h) apart"):
        read(path)


@pytest.mark.parametrize(
    "numbers",
    [
        [0, 525_600],
        [0, 60, 120],
        [0, 2, 4, 6],
        [*range(0, 100, 7), 101],
        [n * 5 // 2 for n in range(300)],
    ],
)
def test_gaps_of_a_thin_market_make_no_other_time_frame(tmp_path, numbers):
    path = put(tmp_path, "BTCUSDT-1m.csv", minutes(*numbers))

    assert {bar.timeframe for bar in read(path)} == {"1m"}


@pytest.mark.parametrize(
    ("name", "symbol"),
    [
        ("BINANCE-BTCUSDT-1m.csv", "BTCUSDT"),
        ("binance-btcusdt-2024-08.csv", "BTCUSDT"),
        ("OKX-futures-BTCUSDT-1m.csv", "BTCUSDT"),
        ("trades-ETHUSDT_240927.csv", "ETHUSDT_240927"),
        ("BTCUSDT-ETHUSDT-1m.csv", "BTCUSDT"),
        ("MATIC-USDT-1m.csv", "MATIC"),
        ("DOGEJPY-1m.csv", "DOGEJPY"),
    ],
)
def test_a_word_before_the_symbol_is_no_symbol(tmp_path, name, symbol):
    assert {bar.symbol for bar in read(put(tmp_path, name, minutes(0, 1)))} == {symbol}
