"""Finds and reads style packs: a voice of Kokoro is one vector of style for each length of sentence.

Called by `loading.py`. A pack is a file NAME.pt (torch), NAME.bin (raw float32) or NAME.npz, or one of the arrays in
a NumPy archive (.npz, or the voices-v1.0.bin of kokoro-onnx). The path of an array in an archive is archive/NAME.
"""

import io
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from phonoscope.common.errors import VoiceFileError
from phonoscope.server.engines.kokoro.config import KokoroShape
from phonoscope.server.engines.voice_files import check_folder, read_voice_file

FOLDER: Final = "voices"
_ARRAY: Final = ".npy"


def find_packs(folder: Path) -> dict[str, Path]:
    """Returns the path of each pack in a folder and in its folder "voices", by name; of two of one name, the first.

    Raises:
        VoiceFileError: an archive is corrupt, or a folder cannot be read.
    """
    found: dict[str, Path] = {}
    check_folder(folder)  # before what is in it
    for place in (folder / FOLDER, folder):
        check_folder(place)
        for suffix in (".pt", ".bin", ".npz"):
            for path in sorted(place.glob(f"*{suffix}")):
                for one in _packs_in(path):
                    found.setdefault(one.name if one.parent == path else one.stem, one)
    return dict(sorted(found.items()))


def _packs_in(path: Path) -> Iterator[Path]:
    """Yields the file itself, or the packs of an archive of several."""
    names = _names_in(path)
    if names is None or names == [path.stem]:
        yield path
    else:
        yield from (path / name for name in names)


def _names_in(path: Path) -> list[str] | None:
    """Returns the arrays of an archive of NumPy; None for any other file."""
    if path.suffix == ".pt" or not zipfile.is_zipfile(path):
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            return [name.removesuffix(_ARRAY) for name in archive.namelist() if name.endswith(_ARRAY)]
    except (zipfile.BadZipFile, OSError) as error:
        raise VoiceFileError(f"{path}: is a corrupt archive of style packs ({error}); download it again") from error


def read_pack(path: Path, shape: KokoroShape) -> Tensor:
    """Returns a pack, (lengths, 2 x style channels) in float32.

    Raises:
        VoiceFileError: it is missing, truncated, of the wrong shape, or not finite.
    """
    rows, channels = shape.max_symbols, 2 * shape.style_channels
    try:
        pack = _tensor(path, channels)
    except (
        pickle.UnpicklingError,
        zipfile.BadZipFile,
        EOFError,
        RuntimeError,
        ValueError,
        TypeError,
        LookupError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise VoiceFileError(f"{path}: is not a style pack of Kokoro ({reason}); download it again") from error
    if pack.ndim == 3 and pack.shape[1] == 1:  # noqa: PLR2004  published packs: (lengths, 1, channels)
        pack = pack.squeeze(1)
    if tuple(pack.shape) != (rows, channels):
        found = " x ".join(map(str, pack.shape))
        raise VoiceFileError(
            f"{path}: is a style pack of the wrong shape: {found} numbers, expected {rows} x 1 x {channels}; use the "
            "packs that were published with this checkpoint"
        )
    if not pack.isfinite().all():
        raise VoiceFileError(f"{path}: is corrupt: a number is not finite; download it again")
    return pack.float().contiguous()


def _tensor(path: Path, channels: int) -> Tensor:
    """Returns a pack as its file has it."""
    archive = path if path.suffix == ".npz" else path.parent if path.parent.is_file() else None
    if archive is not None:
        with np.load(io.BytesIO(read_voice_file(archive)), allow_pickle=False) as arrays:
            return torch.from_numpy(np.asarray(arrays[path.name.removesuffix(".npz")], np.float32))
    content = read_voice_file(path)
    if path.suffix != ".pt":
        if len(content) % (channels * 4):
            raise ValueError(f"{len(content)} bytes are no whole number of styles of {channels} float32")
        return torch.frombuffer(bytearray(content), dtype=torch.float32).reshape(-1, channels)
    loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    if not isinstance(loaded, Tensor):
        raise TypeError("expected a tensor")
    return loaded
