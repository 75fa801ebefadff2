"""The adapter over TLS: a proxy in front of the exchange, its certificate by an authority of ours."""

from __future__ import annotations

import asyncio
import datetime as dt
import inspect
import ipaddress
import ssl
from contextlib import asynccontextmanager

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from holdfast.model.errors import NetworkError, VenueUnavailable
from holdfast.model.messages import ExecType
from holdfast.venues.binance_futures.net import NetWire
from holdfast.venues.binance_futures.settings import endpoints
from holdfast.venues.binance_futures.wire import Ears
from tests.venues.binance_futures.adapter_desk import market_order, submit
from tests.venues.binance_futures.adapter_exchange import joined, town

CHUNK = 64 * 1024
USAGES = tuple(inspect.signature(x509.KeyUsage).parameters)


def issued(name, issuer=None, key=None):
    """Return a certificate and its key; without an issuer it is an authority of its own."""
    own = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.subject if issuer is not None else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    # Python 3.13 takes no certificate that does not say whose key signed it.
    signed_by = (key or own).public_key()
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signed_by), critical=False
    ).add_extension(x509.SubjectKeyIdentifier.from_public_key(own.public_key()), critical=False)
    if issuer is None:
        signs = {name: name.endswith("_sign") for name in USAGES}
        builder = builder.add_extension(x509.KeyUsage(**signs), critical=True)
    else:
        here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        builder = builder.add_extension(x509.SubjectAlternativeName([here]), critical=False)
    return builder.sign(key or own, hashes.SHA256()), own


@pytest.fixture
def authority(tmp_path):
    """Return the file of an authority, and a server's context with a certificate that it issued."""
    root, root_key = issued("an authority of ours")
    leaf, key = issued("127.0.0.1", root, root_key)
    (tmp_path / "ca.pem").write_bytes(root.public_bytes(Encoding.PEM))
    (tmp_path / "server.pem").write_bytes(
        leaf.public_bytes(Encoding.PEM)
        + key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    return tmp_path / "ca.pem", context


async def pour(reader, writer):
    try:
        while chunk := await reader.read(CHUNK):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


@asynccontextmanager
async def proxy(context, port):
    """Take TLS off in front of a port; give one's own."""

    async def carry(reader, writer):
        inner = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(pour(reader, inner[1]), pour(inner[0], writer))

    server = await asyncio.start_server(carry, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@pytest.mark.parametrize("over_ws", [True, False], ids=["websocket", "rest"])
async def test_adapter_trades_over_tls_by_an_authority_that_is_named(
    monkeypatch, authority, over_ws
):
    file, context = authority
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    async with town() as one, proxy(context, one.server._port) as port:
        where = endpoints(testnet=True, rest_url=f"https://127.0.0.1:{port}")
        async with joined(one, where=where, orders_over_ws=over_ws) as venue:
            assert venue._settings.endpoints.stream_url.startswith("wss://")
            venue.submit(submit(market_order("hf.1.1.0.E.x")))
            fill = await one.report("hf.1.1.0.E.x", exec_type=ExecType.TRADE)
            books = await one.snapshot(venue)

            assert fill.trade_id
            assert [str(p.qty) for p in books.positions] == ["0.010"]


async def test_certificate_of_an_unknown_authority_is_refused_in_words(monkeypatch, authority):
    _, context = authority
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    async with town() as one, proxy(context, one.server._port) as port:
        where = endpoints(testnet=True, rest_url=f"https://127.0.0.1:{port}")
        with pytest.raises(NetworkError, match=r"certificate is not trusted .*SSL_CERT_FILE"):
            async with joined(one, where=where):
                pass
        wire = NetWire()
        try:
            with pytest.raises(VenueUnavailable, match="not trusted") as refusal:
                await wire.open_socket(
                    f"wss://127.0.0.1:{port}/ws?listenKey=canary",
                    Ears(lambda _: None, lambda: None, lambda _: None),
                )
        finally:
            await wire.close()
        assert "canary" not in str(refusal.value)
