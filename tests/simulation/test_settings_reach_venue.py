"""What an adversary sets of the account reaches the adapter: else it would have set nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

from holdfast.runtime.clock import WallClock
from holdfast.simulation.events import strike
from holdfast.simulation.odd_settings import DRAWN
from holdfast.simulation.process import Process
from holdfast.simulation.product import _venue
from holdfast.simulation.spec import Spec
from holdfast.simulation.world import World
from holdfast.venues import Wiring
from holdfast.venues.binance_futures.settings import BinanceSettings

NAMES = {"isolated": "is_isolated"}


def test_each_setting_of_the_account_that_is_drawn_is_the_adapters():
    world = World(Spec(seed=1), strike)
    drawn = {key: values[0] for key, values in DRAWN.items()}
    of_account = {NAMES.get(key, key): value for key, value in drawn.items()}
    of_account = {k: v for k, v in of_account.items() if k in BinanceSettings.__struct_fields__}
    world.setup.change({key: drawn[key] for key in drawn if NAMES.get(key, key) in of_account})
    wiring = Wiring(config=world.setup.config, clock=WallClock())
    venue = _venue(world, wiring, cast("Process", SimpleNamespace(number=1, clock_offsets=[])))

    assert {"is_isolated", "dead_man_s", "read_lag_ns"} < of_account.keys()
    for name, value in of_account.items():
        assert getattr(venue._settings, name) == value, name
