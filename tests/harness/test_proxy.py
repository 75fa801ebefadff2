"""The road between the two sides: what passes, what breaks it, what swallows it."""

from __future__ import annotations

import asyncio

import pytest

from holdfast.harness.proxy import Proxy

PATIENCE_S = 5.0


@pytest.fixture
async def echo():
    """A server that answers each line with itself."""

    async def serve(reader, writer):
        while line := await reader.readline():
            writer.write(line)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


@pytest.fixture
async def proxy(echo):
    made = Proxy(echo)
    await made.open()
    yield made
    await made.close()


async def ask(reader, writer, line=b"hello\n"):
    writer.write(line)
    async with asyncio.timeout(PATIENCE_S):
        return await reader.readline()


async def test_bytes_pass_both_ways_in_order_and_late(proxy):
    proxy.latency_s = 0.05
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    began = asyncio.get_running_loop().time()

    answer = await ask(reader, writer)

    assert answer == b"hello\n"
    assert asyncio.get_running_loop().time() - began >= 0.1
    writer.write(b"1\n2\n3\n")
    assert [await reader.readline() for _ in range(3)] == [b"1\n", b"2\n", b"3\n"]
    writer.close()


async def test_a_cut_resets_every_connection(proxy):
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    await ask(reader, writer)

    count = proxy.cut()

    assert count == 1
    with pytest.raises(ConnectionResetError):
        async with asyncio.timeout(PATIENCE_S):
            await reader.read()
    writer.close()


async def test_what_is_swallowed_never_comes_and_only_new_connections_live_again(proxy):
    old = await asyncio.open_connection("127.0.0.1", proxy.port)
    await ask(*old)

    assert proxy.swallow() == 1
    meanwhile = await asyncio.open_connection("127.0.0.1", proxy.port)
    proxy.pass_on()
    new = await asyncio.open_connection("127.0.0.1", proxy.port)

    assert await ask(*new) == b"hello\n"
    for reader, writer in (old, meanwhile):
        writer.write(b"anybody?\n")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await reader.read(1)
        writer.close()
    new[1].close()


async def test_the_far_side_sees_another_address_where_one_is_set():
    seen = []

    async def serve(_reader, writer):
        seen.append(writer.get_extra_info("peername")[0])
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[1])
    await proxy.open()
    proxy.source = "127.0.1.7"

    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    async with asyncio.timeout(PATIENCE_S):
        await reader.read()

    assert seen == ["127.0.1.7"]
    writer.close()
    await proxy.close()
    server.close()
