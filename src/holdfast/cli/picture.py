"""Take a picture of the live view, for the README, from a short real session.

    python -m holdfast.cli.picture docs/images/run.svg

The picture is an SVG that opens offline.
"""

from __future__ import annotations

import io
import re
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from ..model.config import TradingConfig
from ..model.values import Symbol
from ..runtime.control import ControlServer
from ..runtime.logs import logging_to
from ..runtime.service import LiveTradingService
from ..stats import SessionStats
from .driving import drive
from .frame import Camera, Frame
from .happenings import Happenings, Silent
from .live_view import draw
from .run import execute

WIDTH = 108
SECONDS = 20.0
SPEED = 240.0
STRATEGIES = ("donchian_breakout:timeframe=5m", "macd_momentum:timeframe=5m")
_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


class _Film(Silent):
    """Keeps the newest frame among those that show the most positions."""

    def __init__(self) -> None:
        self.best: Frame | None = None
        self._camera: Camera | None = None

    def begin(self, service: LiveTradingService, happenings: Happenings) -> None:
        self._camera = Camera(service, happenings)

    def refresh(self, figures: SessionStats) -> None:
        if self._camera is None:
            return
        frame = self._camera.take(figures)
        if self.best is None or len(frame.positions) >= min(len(self.best.positions), 2):
            self.best = frame


async def _film(config: TradingConfig) -> Frame:
    film, happenings = _Film(), Happenings()
    service = LiveTradingService(config=config)
    happenings.follow(service)
    control = ControlServer(service, config.data_dir)
    await drive(service, control, film, happenings, strategies=STRATEGIES, seconds=SECONDS)
    assert film.best is not None
    return film.best


def main(path: Path) -> None:
    """Run the session and write the picture."""
    with tempfile.TemporaryDirectory() as folder:
        config = TradingConfig(
            data_dir=Path(folder), speed=SPEED, symbols=(Symbol("BTCUSDT"), Symbol("ETHUSDT"))
        )
        with logging_to(config.log_dir):
            frame = execute(_film(config))
    console = Console(record=True, width=WIDTH, force_terminal=True, file=io.StringIO())
    console.print(draw(frame, WIDTH))
    path.parent.mkdir(parents=True, exist_ok=True)
    svg = console.export_svg(title="holdfast run")
    path.write_text(_FONT_FACE.sub("", svg), encoding="utf-8")  # a picture asks no server
    print(f"{path} written")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
