"""The table of adversaries, and who of them is in a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .adversaries import Adversary
from .amnesia import Amnesia
from .api_deaf import ApiDeaf
from .blind_lists import BlindLists
from .burnt_fees import BurntFees
from .child_names import ChildNames
from .contracts import Contracts
from .copies import Copies
from .delisting import Delisting
from .full_hours import FullHours
from .hard_times import HardTimes
from .heritage import Heritage
from .in_parts import InParts
from .long_lists import LongLists
from .odd_orders import OddOrders
from .odd_settings import OddSettings
from .one_cut_off import OneCutOff
from .one_road import OneRoad
from .overlap import Overlap
from .petitioner import Petitioner
from .rejections import Rejections
from .restless import Restlessness
from .second_thoughts import SecondThoughts
from .settings_at_hand import SettingsAtHand
from .slow_disk import SlowDisk
from .tight_limits import TightLimits
from .time_steps import TimeSteps
from .unruly import Misrule
from .whipsaw import Whipsaw

if TYPE_CHECKING:
    from .world import World

ADVERSARIES: tuple[type[Adversary], ...] = (
    Heritage,
    SecondThoughts,
    Amnesia,
    Misrule,
    Contracts,
    HardTimes,
    Delisting,
    SettingsAtHand,
    OneCutOff,
    OddOrders,
    OddSettings,
    Petitioner,
    TightLimits,
    Restlessness,
    ApiDeaf,
    Rejections,
    InParts,
    OneRoad,
    BlindLists,
    LongLists,
    Overlap,
    Copies,
    TimeSteps,
    ChildNames,
    BurntFees,
    FullHours,
    SlowDisk,
    Whipsaw,
)


def adversaries_of(world: World) -> tuple[Adversary, ...]:
    """Return those that a seed has; where one fault alone is judged, or none, there are none."""
    if not world.spec.has_others:
        return ()
    made = [each(world) for each in ADVERSARIES]
    return tuple(each for each in made if each.is_on)
