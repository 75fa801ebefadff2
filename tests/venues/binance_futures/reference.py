"""Where recorded data of the venue lie: beside the checkout, or where BINANCE_REFERENCE says.

They are not published: what needs them is skipped where they are absent.
"""

from __future__ import annotations

import os
from pathlib import Path

REFERENCE = Path(
    os.environ.get("BINANCE_REFERENCE")
    or Path(__file__).resolve().parents[3] / "../shared/design/binance"
)
RECORDED = REFERENCE / "recorded"
