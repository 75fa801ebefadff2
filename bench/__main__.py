"""Run the benchmarks named on the command line, or all; print tables, keep the figures as JSON."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import time
from pathlib import Path

RESULTS = Path(__file__).parent / "results"

# Name -> module with `run()`, which prints its table and returns its figures.
BENCHES = {
    "engine": "bench.engine",
    "exchange_load": "bench.exchange_load",
    "journal": "bench.journal",
    "replay": "bench.replay",
    "restart": "bench.restart",
    "scale": "bench.scale",
    "soak": "bench.soak",
    "startup": "bench.startup",
    "wire_to_wire": "bench.wire_to_wire",
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help=f"of {', '.join(BENCHES)}")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := sorted(set(names) - set(BENCHES)):
        parser.error(f"no benchmark {', '.join(unknown)}: expected {', '.join(BENCHES)}")
    RESULTS.mkdir(exist_ok=True)
    for name in names:
        figures = importlib.import_module(BENCHES[name]).run()
        kept = RESULTS / f"{name}-{time.strftime('%Y%m%dT%H%M%S')}.json"
        record = {"python": sys.version.split()[0], "machine": platform.platform(), **figures}
        kept.write_text(json.dumps(record, indent=2) + "\n")
        print(
            f"kept in {kept.relative_to(Path.cwd()) if kept.is_relative_to(Path.cwd()) else kept}\n"
        )


if __name__ == "__main__":
    main()
