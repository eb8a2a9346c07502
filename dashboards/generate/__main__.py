"""Writes dashboards/*.json; with --check, says instead which of them are not what it would write, and exits 1."""

import argparse
import json
import sys
from pathlib import Path
from typing import Final

from dashboards.generate import engine, gpu, overview, slo, telemetry

FOLDER: Final = Path(__file__).parents[1]
BOARDS: Final = (overview.BOARD, engine.BOARD, gpu.BOARD, slo.BOARD, telemetry.BOARD)


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m dashboards.generate", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 where a file is stale")
    arguments = parser.parse_args()
    fresh = {FOLDER / f"{board.name}.json": _text(board.json()) for board in BOARDS}
    stale = sorted(
        path for path in {*FOLDER.glob("*.json"), *fresh} if not path.exists() or path.read_text() != fresh.get(path)
    )
    if arguments.check:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(FOLDER.parent)} is stale: run make dashboards and commit\n")
        return 1 if stale else 0
    for path, text in fresh.items():
        path.write_text(text)
    return 0


def _text(dashboard: dict[str, object]) -> str:
    return json.dumps(dashboard, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    sys.exit(main())
