"""Where the adapter is tried: at the exchange on a port, or with --testnet at the venue's own.

The tests are the same. At the testnet they need a key of its own, which is worth nothing:
HOLDFAST_TESTNET_KEY and HOLDFAST_TESTNET_SECRET (or ..._SECRET_FILE for a private key).
"""

from __future__ import annotations

import os
import socket
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from holdfast.exchange_server.settings import DEFAULT_KEY
from holdfast.venues.binance_futures.settings import TESTNET
from tests.venues.binance_futures.adapter_street import street

REACH_S = 5.0


class Place(NamedTuple):
    """Settings of the account there, and whether it is the real thing."""

    settings: dict[str, object]
    is_testnet: bool


@pytest.fixture
def place(request):
    if not request.config.getoption("--testnet"):
        with street() as market:
            own = {"rest_url": market.url, "read_lag_ns": "50ms"}
            yield Place({**own, "api_key": DEFAULT_KEY, "api_secret": DEFAULT_KEY}, False)
        return
    key, secret = (os.environ.get(f"HOLDFAST_TESTNET_{name}") for name in ("KEY", "SECRET"))
    file = os.environ.get("HOLDFAST_TESTNET_SECRET_FILE")
    if not key or not (secret or file):
        pytest.skip("--testnet needs HOLDFAST_TESTNET_KEY and HOLDFAST_TESTNET_SECRET")
    host = urlsplit(TESTNET.rest_url).hostname
    try:
        socket.create_connection((host, 443), REACH_S).close()
    except OSError as error:
        pytest.skip(f"--testnet needs a network: {host} can't be reached ({error})")
    signs = {"api_secret": secret} if secret else {"api_secret_file": file}
    yield Place({"api_key": key, "testnet": True, **signs}, True)
