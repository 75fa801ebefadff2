"""Another exchange than ours: a proxy in front of it that says the same in other ways, or worse."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import WSMsgType, web
from yarl import URL

from tests.venues.binance_futures.adapter_desk import listening

HOP = {"content-length", "transfer-encoding", "connection", "date", "server", "content-type"}


class Manner:
    """How it speaks; this one changes nothing. `is_on` False lets all through as it is."""

    def __init__(self):
        self.is_on = True
        self.struck = 0

    def passed_on(self, raw_path):
        """Return the path and query to be passed on for those that came."""
        return raw_path

    def instead(self, verb, path):
        """Return (status, body) to be answered without asking, or None."""

    def answer(self, verb, path, status, body):
        """Return status and body of what was answered."""
        return status, body

    def frames(self, path, frame):
        """Return the frames to be sent for one."""
        return [frame]

    def closes(self, path):
        """Tell whether a socket is closed right after its handshake."""
        return False

    drip_s = 0.0
    """How long a body takes, byte by byte."""


class Mangler:
    def __init__(self, behind, manner, session):
        self.behind, self.manner, self.session = behind, manner, session
        self.port = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def handle(self, request):
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self.carry(request)
        manner, path = self.manner, request.path
        if manner.is_on and (instead := manner.instead(request.method, path)) is not None:
            return web.Response(status=instead[0], body=instead[1], content_type="text/html")
        asked = manner.passed_on(request.raw_path) if manner.is_on else request.raw_path
        url = URL(self.behind + asked, encoded=True)
        headers = {k: v for k, v in request.headers.items() if k == "X-MBX-APIKEY"}
        async with self.session.request(
            request.method, url, data=await request.read() or None, headers=headers
        ) as found:
            status, body = found.status, await found.read()
            kept = {k: v for k, v in found.headers.items() if k.lower() not in HOP}
        if manner.is_on:
            status, body = manner.answer(request.method, path, status, body)
        if manner.is_on and manner.drip_s:
            return await self.drip(request, status, body)
        return web.Response(status=status, body=body, headers=kept, content_type="application/json")

    async def drip(self, request, status, body):
        response = web.StreamResponse(status=status)
        await response.prepare(request)
        for byte in body:
            await response.write(bytes([byte]))
            await asyncio.sleep(self.manner.drip_s)
        return response

    async def carry(self, request):
        front = web.WebSocketResponse(autoping=True)
        await front.prepare(request)
        if self.manner.is_on and self.manner.closes(request.path):
            await front.close()
            return front
        url = self.behind.replace("http", "ws", 1) + request.raw_path
        async with self.session.ws_connect(URL(url, encoded=True)) as back:

            async def down():
                async for message in back:
                    if message.type is WSMsgType.TEXT:
                        told = [message.data]
                        if self.manner.is_on:
                            told = self.manner.frames(request.path, message.data)
                        for each in told:
                            await front.send_str(each)
                await front.close()

            task = asyncio.ensure_future(down())
            try:
                async for message in front:
                    if message.type is WSMsgType.TEXT:
                        await back.send_str(message.data)
            finally:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        return front


@asynccontextmanager
async def mangled(behind, manner):
    async with aiohttp.ClientSession() as session:
        one = Mangler(behind, manner, session)
        async with listening(one.handle) as one.port:
            yield one
