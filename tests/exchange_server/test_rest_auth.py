"""Who is let in: keys, signatures over what was sent, and requests that come in time."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from holdfast.exchange_server import ApiKey, ServerSettings, parse_account
from holdfast.exchange_server.auth import Keys, split_signature
from holdfast.exchange_server.errors import ApiError
from holdfast.model.errors import ConfigError
from holdfast.model.values import AccountId
from tests.exchange_server.rest_desk import BTC, rest_desk

ACCOUNT = "/fapi/v3/account"
ORDER = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC"
ORDER += "&recvWindow=5000&timestamp=1591702613943"


def vector_key():
    return ApiKey(
        key="vector",
        secret="2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9",
        account=AccountId("vector"),
    )


@pytest.mark.parametrize(
    ("query", "body", "signature"),
    [
        (ORDER, "", "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"),
        ("", ORDER, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"),
        (
            "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTC",
            "quantity=1&price=9000&recvWindow=5000&timestamp=1591702613943",
            "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4",
        ),
    ],
)
def test_the_documented_signatures_are_accepted(query, body, signature):
    keys = Keys([vector_key()])
    signed = (
        (f"{query}&signature={signature}", body)
        if query
        else (query, f"{body}&signature={signature}")
    )

    keys.check_request(vector_key(), *signed)
    with pytest.raises(ApiError) as refused:
        keys.check_request(vector_key(), signed[0].replace("BUY", "SELL"), signed[1] + "&x=1")
    assert refused.value.code == -1022


def test_a_signature_is_taken_out_wherever_it_stands():
    assert split_signature("a=1&signature=f&b=2", "") == ("a=1&b=2", "f")
    assert split_signature("signature=f&a=1", "b=2") == ("a=1b=2", "f")
    assert split_signature("&a=1&signature=f", "") == ("&a=1", "f")
    assert split_signature("a=1", "b=2&signature=f") == ("a=1b=2", "f")
    assert split_signature("a=1", "newsignature=f") == ("a=1newsignature=f", "")


async def test_values_signed_before_their_encoding_are_accepted_too():
    async with rest_desk() as desk:
        plain = f"symbol={BTC}&side=BUY&type=MARKET&quantity=0.01&newClientOrderId=a/b:c"
        plain += f"&timestamp={desk.now_ms()}"
        sent = plain.replace("/", "%2F").replace(":", "%3A")
        decoded = await desk.raw(
            "POST", "/fapi/v1/order", body=f"{sent}&signature={desk.sign(plain)}"
        )
        encoded = await desk.raw(
            "POST", "/fapi/v1/order", body=f"{sent}&signature={desk.sign(sent)}"
        )

        assert (decoded.status, decoded["clientOrderId"]) == (200, "a/b:c")
        assert encoded.status == 200


async def test_the_query_counts_where_a_name_is_also_in_the_body():
    async with rest_desk() as desk:
        query = f"symbol={BTC}&quantity=0.02"
        body = f"side=BUY&type=MARKET&quantity=0.01&timestamp={desk.now_ms()}"
        found = await desk.raw(
            "POST",
            "/fapi/v1/order",
            query=query,
            body=f"{body}&signature={desk.sign(query + body)}",
        )

        assert found["origQty"] == "0.020"


async def test_keys_and_signatures_are_refused_with_the_venues_codes():
    async with rest_desk() as desk:
        stamp = f"timestamp={desk.now_ms()}"
        signed = f"{stamp}&signature={desk.sign(stamp)}"
        cases = [
            (401, -2014, signed, ""),
            (401, -2015, signed, "unknown"),
            (400, -1022, f"{stamp}&signature=00", "test"),
            (400, -1102, stamp, "test"),
            (400, -1102, "signature=00", "test"),
        ]
        for status, code, query, key in cases:
            found = await desk.raw("GET", ACCOUNT, query=query, headers={"X-MBX-APIKEY": key})

            assert (found.status, found.code) == (status, code)


async def test_hmac_signatures_may_be_in_capitals():
    async with rest_desk() as desk:
        stamp = f"timestamp={desk.now_ms()}"

        assert (
            await desk.raw("GET", ACCOUNT, query=f"{stamp}&signature={desk.sign(stamp).upper()}")
        ).status == 200


async def test_requests_out_of_their_window_are_refused_in_two_ways():
    async with rest_desk() as desk:
        late = await desk.call("GET", ACCOUNT, timestamp=desk.now_ms() - 5500)
        wider = await desk.call("GET", ACCOUNT, timestamp=desk.now_ms() - 5500, recvWindow=10_000)
        early = await desk.call("GET", ACCOUNT, timestamp=desk.now_ms() + 1500)
        hardly = await desk.call("GET", ACCOUNT, timestamp=desk.now_ms() + 700)

        assert (late.status, late.code) == (400, -1021)
        assert late["msg"] == "Timestamp for this request is outside of the recvWindow."
        assert early["msg"] == ("Timestamp for this request was 1000ms ahead of the server's time.")
        assert (wider.status, hardly.status) == (200, 200)


async def test_accounts_are_kept_apart_by_their_keys():
    keys = (parse_account("alice:s1"), parse_account("bob:s2"))
    async with rest_desk(keys=keys) as desk:
        desk.key, desk.secret = "alice", "s1"
        await desk.order(price="49000")
        mine = await desk.call("GET", "/fapi/v1/openOrders")
        desk.key, desk.secret = "bob", "s2"
        his = await desk.call("GET", "/fapi/v1/openOrders")

        assert (len(mine.body), len(his.body)) == (1, 0)


@pytest.mark.parametrize("text", ["alone", ":secret", "key:", "key:@/nowhere/at.pem"])
def test_an_account_that_cannot_be_read_is_refused(text):
    with pytest.raises(ConfigError):
        parse_account(text)


def test_a_key_given_twice_is_refused():
    with pytest.raises(ConfigError, match="given twice"):
        Keys([vector_key(), vector_key()])


async def test_public_keys_check_rsa_and_ed25519(tmp_path):
    pytest.importorskip("cryptography", reason="public keys need the package cryptography")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

    rsa_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    ed_key = ed25519.Ed25519PrivateKey.generate()
    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    for name, key in (("rsa", rsa_key), ("ed", ed_key)):
        (tmp_path / name).write_bytes(key.public_key().public_bytes(*pem))
    signers = {
        "rsa": lambda text: rsa_key.sign(text, padding.PKCS1v15(), hashes.SHA256()),
        "ed": ed_key.sign,
    }
    keys = tuple(parse_account(f"{name}:@{tmp_path / name}") for name in signers)
    async with rest_desk(keys=keys) as desk:
        for name, sign in signers.items():
            stamp = f"timestamp={desk.now_ms()}"
            signature = quote(base64.b64encode(sign(stamp.encode())), safe="")
            headers = {"X-MBX-APIKEY": name}
            good = await desk.raw(
                "GET", ACCOUNT, query=f"{stamp}&signature={signature}", headers=headers
            )
            bad = await desk.raw("GET", ACCOUNT, query=f"{stamp}&signature=AAAA", headers=headers)

            assert (good.status, bad.code) == (200, -1022)


async def test_a_signature_of_other_letters_is_wrong_for_every_kind_of_key(tmp_path):
    pytest.importorskip("cryptography", reason="public keys need the package cryptography")
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ed25519

    pem = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    public = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(*pem)
    (tmp_path / "ed").write_bytes(public)
    keys = (parse_account(f"ed:@{tmp_path / 'ed'}"), parse_account("plain:secret"))
    async with rest_desk(keys=keys) as desk:
        for key in ("ed", "plain"):
            query = f"timestamp={desk.now_ms()}&signature=%C3%A9"
            found = await desk.raw("GET", ACCOUNT, query=query, headers={"X-MBX-APIKEY": key})

            assert (found.status, found.code) == (400, -1022)


def test_secrets_are_in_no_repr_and_in_no_message():
    key = ApiKey(key="k", secret="very-secret", account=AccountId("k"))
    shown = repr(ServerSettings(keys=(key,), admin_token="door-token"))
    with pytest.raises(ConfigError) as caught:
        parse_account("k=very-secret")

    for text in (repr(key), shown, str(caught.value)):
        assert "very-secret" not in text
        assert "door-token" not in text
