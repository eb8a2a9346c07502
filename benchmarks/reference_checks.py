"""What becomes of recordings of speech and of music: `python -m benchmarks.reference_checks SPEECH_DIR MUSIC_DIR`.

Reads all audio files below the two folders. Files longer than 20 s are cut into pieces of 20 s, as WAV.
"""

import argparse
import io
import wave
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import numpy as np

from phonoscope.server.audio.decode import RecordingFault
from phonoscope.server.audio.recordings import recording_of

SUFFIXES: Final = (".wav", ".flac", ".mp3", ".ogg", ".m4a")
PIECE_SECONDS: Final = 20
RATE_HZ: Final = 24_000


def main() -> None:
    """Prints the outcomes of each folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("speech", type=Path)
    parser.add_argument("music", type=Path)
    given = parser.parse_args()
    for kind, folder in (("speech", given.speech), ("music", given.music)):
        files = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
        outcomes = Counter(outcome_of(piece) for path in files for piece in pieces_of(path))
        print(f"{kind}: {outcomes.total()} pieces of {len(files)} files")  # noqa: T201  its output
        for outcome, count in outcomes.most_common():
            print(f"  {outcome:24} {count:5} {count / outcomes.total():.1%}")  # noqa: T201


def pieces_of(path: Path) -> Iterator[bytes]:
    """Yields a file as WAV files of up to 20 s; nothing for one that cannot be decoded."""
    try:
        with av.open(str(path), "r") as container:
            resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE_HZ)
            frames = (part for frame in container.decode(audio=0) for part in resampler.resample(frame))
            samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    except (av.FFmpegError, ValueError, IndexError):
        return
    for start in range(0, len(samples), PIECE_SECONDS * RATE_HZ):
        file = io.BytesIO()
        with wave.open(file, "wb") as written:
            written.setparams((1, 2, RATE_HZ, 0, "NONE", ""))
            written.writeframes(samples[start : start + PIECE_SECONDS * RATE_HZ].tobytes())
        yield file.getvalue()


def outcome_of(content: bytes) -> str:
    """Returns "accepted", or the reason of the refusal."""
    try:
        recording_of(content, RATE_HZ)
    except RecordingFault as fault:
        return fault.reason
    return "accepted"


if __name__ == "__main__":
    main()
