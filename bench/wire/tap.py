"""A tap on the wire before an exchange: passes WebSocket frames on, puts market frames in, and
notes when each leaves and when the first order frame after it arrives.

A program under test takes it for the exchange. Everything that it asks for is passed on to the
exchange behind; trades of a marked quantity are put in between the exchange's own. The stamps
are taken by one clock in one process: right before the frame is written, and first thing when
an order frame has been read.

Commands come on standard input, one JSON object a line; each answer is one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time

import picows
import uvloop
from picows import WSMsgType

SYMBOL = "BTCUSDT"
BUY, CLOSE, PLAIN = "0.007", "0.009", "0.003"
"""Quantities of the trades that are put in: buy now, close now, do nothing."""

ANSWER_S = 0.25
"""How long an order may take; a later one counts as missed."""


CATCH_UP_S = 0.002
"""How far behind its time a trade that wants no answer may be and still go at once."""


class Tap:
    """What all connections share."""

    def __init__(self, streams: str, ws_api: str) -> None:
        self.streams, self.ws_api = streams, ws_api
        self.ears: list[tuple[Down, str, bool]] = []  # who hears trades, by which stream, wrapped
        self.price = ""
        self.number = 10**9
        self.left_ns = 0
        self.latencies: list[int] = []
        self.answered = asyncio.Event()

    def order(self, arrived_ns: int) -> None:
        """Note an order frame."""
        if self.left_ns:
            self.latencies.append(arrived_ns - self.left_ns)
            self.left_ns = 0
        self.answered.set()

    def put(self, qty: str, *, is_measured: bool = False) -> None:
        """Write a trade to whoever hears trades."""
        self.number += 1
        frames = [
            (ear, _frame(stream, is_wrapped, self.price, qty, self.number))
            for ear, stream, is_wrapped in self.ears
        ]
        self.answered.clear()
        for ear, frame in frames:
            self.left_ns = time.perf_counter_ns() if is_measured else 0
            ear.transport.send(WSMsgType.TEXT, frame)

    async def measure(self, count: int, spacing_s: float, every: int) -> dict[str, object]:
        """Put trades in, `spacing_s` apart; every so many of them buys, and the next such closes.

        Returns:
            the nanoseconds from each buying frame to the order frame, and how many had none.
        """
        self.latencies = []
        loop, missed = asyncio.get_running_loop(), 0
        due = loop.time()
        for _ in range(count):
            for mark in (BUY, CLOSE):
                for _ in range(every - 1):
                    self.put(PLAIN)
                    due = max(due + spacing_s, loop.time() - CATCH_UP_S)
                    await _until(loop, due)
                self.put(mark, is_measured=mark is BUY)
                try:
                    await asyncio.wait_for(self.answered.wait(), ANSWER_S)
                except TimeoutError:
                    missed += mark is BUY
                self.left_ns = 0
                due = max(due + spacing_s, loop.time())
                await _until(loop, due)
        return {"ns": self.latencies, "missed": missed}


async def _until(loop: asyncio.AbstractEventLoop, due: float) -> None:
    await asyncio.sleep(max(0.0, due - loop.time()))


def _frame(stream: str, is_wrapped: bool, price: str, qty: str, number: int) -> bytes:
    now = time.time_ns() // 1_000_000
    if stream.endswith("aggTrade"):
        body = (
            f'{{"e":"aggTrade","E":{now},"s":"{SYMBOL}","a":{number},"p":"{price}","q":"{qty}",'
            f'"nq":"{qty}","f":{number},"l":{number},"T":{now},"m":false,"st":1}}'
        )
    else:
        body = (
            f'{{"e":"trade","E":{now},"T":{now},"s":"{SYMBOL}","t":{number},"p":"{price}",'
            f'"q":"{qty}","X":"MARKET","m":false,"st":1}}'
        )
    return (f'{{"stream":"{stream}","data":{body}}}' if is_wrapped else body).encode()


class Up(picows.WSListener):
    """The connection to the exchange behind one of ours."""

    def __init__(self, down: Down) -> None:
        self._down = down

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        if frame.msg_type == WSMsgType.TEXT:
            payload = frame.get_payload_as_bytes()
            self._down.heard(payload)
            self._down.transport.send(WSMsgType.TEXT, payload)
        elif frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._down.transport.disconnect()


class Down(picows.WSListener):
    """A connection of the program under test."""

    def __init__(self, tap: Tap, path: str) -> None:
        self._tap, self._path = tap, path
        self._is_api = path.startswith("/ws-fapi")
        self._up: picows.WSTransport | None = None
        self._waiting: list[bytes] = []
        self.transport: picows.WSTransport

    def on_ws_connected(self, transport: picows.WSTransport) -> None:
        self.transport = transport
        self._task = asyncio.get_running_loop().create_task(self._connect())
        for name in self._path.replace("=", "/").split("/"):
            self._listen(name)

    async def _connect(self) -> None:
        base = self._tap.ws_api.removesuffix("/ws-fapi/v1") if self._is_api else self._tap.streams
        up, _ = await picows.ws_connect(lambda: Up(self), base + self._path)
        self._up = up
        for payload in self._waiting:
            up.send(WSMsgType.TEXT, payload)

    def on_ws_frame(self, transport: picows.WSTransport, frame: picows.WSFrame) -> None:
        arrived_ns = time.perf_counter_ns()
        if frame.msg_type == WSMsgType.PING:
            transport.send_pong(frame.get_payload_as_bytes())
        elif frame.msg_type == WSMsgType.CLOSE:
            transport.disconnect()
        elif frame.msg_type == WSMsgType.TEXT:
            payload = frame.get_payload_as_bytes()
            if self._is_api and b"order.place" in payload:
                self._tap.order(arrived_ns)
            elif not self._is_api and b"SUBSCRIBE" in payload:
                for name in json.loads(payload).get("params") or ():
                    self._listen(str(name))
            if self._up is None:
                self._waiting.append(payload)
            else:
                self._up.send(WSMsgType.TEXT, payload)

    def _listen(self, name: str) -> None:
        if name.lower() in (f"{SYMBOL.lower()}@aggtrade", f"{SYMBOL.lower()}@trade"):
            self._tap.ears.append((self, name, "/stream" in self._path))

    def heard(self, payload: bytes) -> None:
        """Keep the exchange's last price: what is put in has it too."""
        if b'@aggTrade"' in payload or b'"aggTrade"' in payload or b'"trade"' in payload:
            message = json.loads(payload)
            message = message.get("data", message)
            if isinstance(message, dict) and message.get("s") == SYMBOL:
                self._tap.price = str(message["p"])

    def on_ws_disconnected(self, transport: picows.WSTransport) -> None:
        self._tap.ears = [each for each in self._tap.ears if each[0] is not self]
        if self._up is not None:
            self._up.disconnect()


async def _serve(tap: Tap) -> None:
    def accept(request: picows.WSUpgradeRequest) -> picows.WSListener:
        return Down(tap, request.path.decode())

    server = await picows.ws_create_server(accept, "127.0.0.1", 0)
    _tell({"port": server.sockets[0].getsockname()[1]})
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    while line := await reader.readline():
        command = json.loads(line)
        match command.pop("do"):
            case "state":
                _tell({"ears": len(tap.ears), "price": tap.price})
            case "measure":
                _tell(await tap.measure(**command))
            case other:
                _tell({"error": f"no command {other}"})


def _tell(document: dict[str, object]) -> None:
    print(json.dumps(document), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("streams")
    parser.add_argument("ws_api")
    arguments = parser.parse_args()

    async def serve() -> None:
        await _serve(Tap(arguments.streams, arguments.ws_api))

    uvloop.run(serve())


if __name__ == "__main__":
    main()
