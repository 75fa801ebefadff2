"""Everything that real clients were recorded sending is answered, in the very form they sent it.

The recordings lie outside the repository. Times, keys, signatures and the venue's own ids are
made anew; all else, down to the encoding of a value and whether it stands in query or body, is
what the client wrote.
"""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from pathlib import Path
from urllib.parse import unquote

import pytest

from holdfast.exchange_server.app import METHODS
from tests.exchange_server.rest_desk import ETH, rest_desk
from tests.exchange_server.stream_desk import FIELDS, sign

CLIENTS = FIELDS.parent / "client_wire"
RECORDINGS = sorted(CLIENTS.glob("*.jsonl")) or [Path("absent.jsonl")]
TALKING = [p for p in RECORDINGS if p.exists() and '"ws_open"' in p.read_text()] or RECORDINGS
WAIT_S = 10
TOLD_OTHERWISE = {-4046, -4059, -4171, -2022, -4049}
"""Here a setting may be so already, and an account may have no (isolated) position: the other
server did not look."""

OWN_IDS = {"orderId", "origClientOrderId", "algoId", "clientAlgoId"}
LISTS = {"orderIdList", "orderidlist", "origClientOrderIdList", "origclientorderidlist"}

pytestmark = pytest.mark.skipif(not CLIENTS.exists(), reason="the clients' recordings are not here")


def recorded(path, kind):
    lines = (json.loads(line) for line in path.read_text().splitlines())
    return [line for line in lines if line["k"] == kind]


def pairs(text):
    return [pair.partition("=")[::2] for pair in text.split("&") if pair]


class Replay:
    """A client's requests, with orders of ours where it names some of its own."""

    def __init__(self, desk):
        self.desk = desk
        self.listen_key = ""

    async def named(self, name):
        """Return a value for a field that names an order: one that can be done that to."""
        if "lgo" in name:
            made = (await self.desk.stop(trigger="30000")).body
            return made["algoId"] if name == "algoId" else made["clientAlgoId"]
        made = (await self.desk.order(price="45000")).body
        return made["orderId"] if name.lower().startswith("orderid") else made["clientOrderId"]

    async def renewed(self, text, verb):
        """Return a query or a body with what must be anew; without its signature."""
        found = [
            # Blanks were written down decoded; on a line of HTTP there are none.
            f"{name}={(await self.value(name, value, verb)).replace(' ', '%20')}"
            for name, value in pairs(text)
            if name != "signature"
        ]
        return "&".join(found)

    async def value(self, name, recorded, verb):
        if name == "timestamp":
            return str(self.desk.now_ms())
        if name == "listenKey":
            return self.listen_key
        if name in LISTS:
            ids = [await self.named(name) for _ in json.loads(unquote(recorded))]
            return json.dumps(ids, separators=(",", ":"))
        if name in OWN_IDS and not (verb == "POST" and name == "clientAlgoId"):
            return str(await self.named(name))
        return recorded

    async def send(self, line):
        verb, path = line["m"], line["path"]
        query, body = [await self.renewed(line[part], verb) for part in ("q", "body")]
        if "signature=" in line["q"]:
            query += f"&signature={self.desk.sign(query + body)}"
        elif "signature=" in line["body"]:
            body += f"&signature={self.desk.sign(query + body)}"
        kind = {"Content-Type": line["ct"]} if body and line["ct"] else {}
        found = await self.desk.raw(verb, path, query=query, body=body, headers=kind)
        if path.endswith("/listenKey") and verb == "POST":
            self.listen_key = found["listenKey"]
        return found


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
async def test_every_recorded_request_of_http_is_answered(path):
    lines = [line for line in recorded(path, "http") if line["st"] == 200]
    if not lines:
        pytest.skip("nothing in it was answered by the venue either")
    async with rest_desk(balance=Decimal(10**7)) as desk:
        desk.quote("50000", "50001")
        desk.quote("3000", "3001", symbol=ETH)
        desk.trade("3000", symbol=ETH)
        replay = Replay(desk)
        for line in lines:
            found = await replay.send(line)
            asked = (line["m"], line["path"], line["q"] or line["body"], found.body)
            assert asked[:2] in METHODS
            assert found.status == 200 or found.code in TOLD_OTHERWISE, asked
            rows = found.body if isinstance(found.body, list) else []
            assert not any(isinstance(row, dict) and "code" in row for row in rows), asked


async def ask_api(socket, replay, message):
    asked = json.loads(message)
    params = {k: v for k, v in asked.get("params", {}).items() if k != "signature"}
    for name in OWN_IDS & params.keys():
        if not asked["method"].endswith(".place"):
            params[name] = type(params[name])(await replay.named(name))
    params["apiKey"] = replay.desk.key
    if "timestamp" in params:
        params["timestamp"] = replay.desk.now_ms()
        params["signature"] = sign(replay.desk.secret, params)
    await socket.send_str(json.dumps(asked | {"params": params}))
    return asked, await socket.receive_json(timeout=WAIT_S)


async def reply_to(socket, number):
    """Return the reply to a control message; what the streams say goes by."""
    async with asyncio.timeout(WAIT_S):
        while True:
            found = await socket.receive_json()
            if isinstance(found, dict) and found.get("id") == number and "result" in found:
                return found


@pytest.mark.parametrize("path", TALKING, ids=lambda path: path.stem)
async def test_every_recorded_socket_is_opened_and_every_message_answered(path):
    opened = recorded(path, "ws_open")
    assert opened
    async with rest_desk(balance=Decimal(10**7)) as desk:
        replay = Replay(desk)
        key = (await desk.raw("POST", "/fapi/v1/listenKey"))["listenKey"]
        sockets = {}
        for line in opened:
            query = f"?{line['q']}" if line["q"] else ""
            url = desk.server.urls["streams"] + line["path"] + query
            for old in [part for part in url.replace("=", "/").split("/") if part[:4] == "LKxx"]:
                url = url.replace(old, key)
            sockets[line["path"]] = await desk.session.ws_connect(url)
        for line in recorded(path, "ws_msg"):
            socket = sockets[line["path"]]
            if line["path"].startswith("/ws-fapi"):
                asked, found = await ask_api(socket, replay, line["msg"])
                assert (found["id"], found["status"]) == (asked["id"], 200), (asked, found)
            else:
                text = line["msg"]
                for old in [word for word in text.split('"') if word.startswith("LKxx")]:
                    text = text.replace(old, key)
                await socket.send_str(text)
                assert (await reply_to(socket, json.loads(text)["id"]))["result"] is None
        for socket in sockets.values():
            await socket.close()
