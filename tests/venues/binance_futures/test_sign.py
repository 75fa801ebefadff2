from __future__ import annotations

import base64
import hashlib
import hmac
import pickle

import pytest
from cryptography.hazmat.primitives import serialization as ser
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import example, given
from hypothesis import strategies as st

from holdfast.model.config_kinds import Secret
from holdfast.model.errors import ConfigError
from holdfast.venues.binance_futures.sign import Credentials, HmacSigner, make_signer

# The venue's published example key and texts.
KEY = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
WHOLE = "symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000&timestamp=1591702613943"
SPLIT = "symbol=BTCUSDT&side=BUY&type=LIMIT&timeInForce=GTCquantity=1&price=9000&recvWindow=5000&timestamp=1591702613943"


def pem(key, password=None):
    lock = ser.BestAvailableEncryption(password) if password else ser.NoEncryption()
    return key.private_bytes(ser.Encoding.PEM, ser.PrivateFormat.PKCS8, lock).decode()


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@pytest.mark.parametrize(
    ("text", "signature"),
    [
        (WHOLE, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"),
        (SPLIT, "30baaf0fab549bbeda7f5ef201898b34122da25fd23c646cac2c529aebe670a4"),
    ],
)
def test_hmac_gives_the_published_signatures(text, signature):
    assert make_signer(KEY).sign(text) == signature


@example("longer than a block of SHA-256 " * 5, ["text"])
@given(st.text(min_size=1, max_size=200), st.lists(st.text(max_size=300), min_size=1, max_size=3))
def test_prepared_hmac_is_hmac(secret, texts):
    signer = HmacSigner(secret)

    for text in texts:  # one signer signs many
        expected = hmac.new(secret.encode(), text.encode(), hashlib.sha256).hexdigest()
        assert signer.sign(text) == expected


def test_ed25519_signature_verifies_and_alone_may_log_on():
    key = ed25519.Ed25519PrivateKey.generate()
    signer = make_signer(pem(key))

    key.public_key().verify(base64.b64decode(signer.sign(WHOLE)), WHOLE.encode())
    assert signer.can_log_on
    assert not make_signer(KEY).can_log_on


def test_rsa_signature_is_pkcs1_v15_with_sha256(rsa_key):
    signer = make_signer(pem(rsa_key))
    signature = base64.b64decode(signer.sign(WHOLE))

    rsa_key.public_key().verify(signature, WHOLE.encode(), padding.PKCS1v15(), SHA256())
    assert not signer.can_log_on


def test_a_private_key_comes_from_a_file_or_on_one_line(tmp_path):
    key = ed25519.Ed25519PrivateKey.generate()
    path = tmp_path / "binance.pem"
    path.write_text(pem(key))
    path.chmod(0o600)

    signatures = {
        make_signer(str(path)).sign("a"),
        make_signer(pem(key).replace("\n", "\\n")).sign("a"),
        make_signer(pem(key, b"pass"), password="pass").sign("a"),
    }
    assert signatures == {make_signer(pem(key)).sign("a")}


def test_what_cannot_sign_is_refused_without_showing_it(tmp_path):
    locked = pem(ed25519.Ed25519PrivateKey.generate(), b"pass")
    other = pem(ec.generate_private_key(ec.SECP256R1()))
    broken = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----"
    for secret, why in [
        ("  ", "empty"),
        (locked, "password"),
        (other, "Ed25519 or RSA"),
        (broken, "can't be read"),
        (str(tmp_path / "none.pem"), "none.pem"),
    ]:
        with pytest.raises(ConfigError, match=why) as refusal:
            make_signer(secret)
        assert "c2VjcmV0" not in str(refusal.value)


def test_no_repr_shows_a_secret(rsa_key):
    canary = "canary-4c1d"
    shown = [
        repr(Credentials("key-of-canary", canary)),
        repr(make_signer(canary)),
        repr(make_signer(pem(rsa_key))),
        repr(make_signer(pem(ed25519.Ed25519PrivateKey.generate()))),
    ]

    assert all("canary" not in each and "BEGIN" not in each and "***" in each for each in shown)


def test_a_masked_secret_signs_as_what_it_is():
    credentials = Credentials(Secret("key"), Secret(KEY))

    assert credentials.signer.sign(WHOLE).startswith("3c661234")
    assert credentials.api_key == "key"


@pytest.mark.parametrize("around", ["{}", "{}\n", " {}\r\n", "\t{} "])
def test_what_stands_around_a_key_is_no_part_of_it(around):
    assert Credentials(around.format("key"), KEY).api_key == "key"


@pytest.mark.parametrize(
    "key", ["", " \n", "ke y", "ke\ny", "ke\0y", "\u043a\u043b\u044e\u0447", "\u201ckey\u201d"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_showing_it(key):
    with pytest.raises(ConfigError, match="API key") as refusal:
        Credentials(key, KEY)

    assert not key or key not in str(refusal.value)


def test_a_signer_cannot_be_written_down():
    with pytest.raises(TypeError):
        pickle.dumps(make_signer(KEY))
