"""Calls indextts25-inference, PyPI's library of IndexTTS-2.5. Nothing else imports it; `engine.py` calls this module.

`IndexTTS25.stream` is public. The rest is not: where the conditioning of recordings is kept, how it is made, and how a
text is cut into segments. `Library` refuses a version of the library that has them elsewhere.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from indextts25 import IndexTTS25, infer_v2_5
from indextts25.api import STREAM_SEGMENT_TOKENS
from indextts25.utils import nemo_tn
from numpy.typing import NDArray
from torch import Tensor

from phonoscope.common.errors import StartupError

SAMPLE_RATE_HZ: Final = IndexTTS25.SAMPLE_RATE
SEGMENT_TOKENS: Final = STREAM_SEGMENT_TOKENS
# What the library's own `synthesize` puts between two segments.
SEGMENT_PAUSE_SECONDS: Final = 0.2
_INNER: Final = (
    *("_spk_cache", "_emo_cache", "_emovec_cache", "_speaker_conditioning", "_emotion_conditioning"),
    *("split_text_by_tokens", "tokenizer", "_prepare_text", "use_bf16"),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What to speak, as the library takes it.

    Attributes:
        voice, emotion: paths of recordings; the emotion's is "" where the voice's own is used.
        language: the library's code.
        duration_factor: of the audio; below 1 is faster.
        emotion_vector: in the library's order; None without one.
        emotion_strength: of the vector, or of the emotion's recording.
    """

    text: str
    voice: str
    language: str
    duration_factor: float = 1.0
    emotion: str = ""
    emotion_vector: Sequence[float] | None = None
    emotion_strength: float = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """A spoken part of a text: its samples, in [-1, 1], and its number among the parts."""

    samples: NDArray[np.float32]
    number: int


class Library:
    """A loaded checkpoint. One thread at a time.

    Args:
        folder: of the checkpoint.
        device: such as "cpu" or "cuda:0".
        is_half: whether the autoregressive network computes in bfloat16, on a GPU only.
        grammars: where the compiled grammars of text normalisation are kept; None for the library's own place.

    Attributes:
        segments: the parts of the text that is being spoken, once its first part is; normalised.

    Raises:
        StartupError: the installed version of the library is another one than this module knows.
    """

    def __init__(self, folder: Path, device: str, *, is_half: bool = False, grammars: Path | None = None) -> None:
        if grammars is not None:
            _keep_grammars(grammars)
        self.segments: Sequence[str] = ()
        self._tts = IndexTTS25(folder, device=device, fp16=is_half)
        inner: Any = self._tts
        self._inner = inner._tts  # noqa: SLF001
        if missing := [name for name in _INNER if not hasattr(self._inner, name)]:
            raise _other_version(missing[0])
        self._split = self._inner.split_text_by_tokens
        self._inner.split_text_by_tokens = self._note_segments

    @property
    def is_half(self) -> bool:
        """Whether the autoregressive network computes in bfloat16."""
        return bool(self._inner.use_bf16)

    def read(self, text: str, language: str) -> str:
        """Returns a text as the model reads it. The first text of a language loads, or compiles, its grammar."""
        read: str = self._inner._prepare_text(text, language)  # noqa: SLF001
        return read

    def tokens(self, text: str) -> int:
        """Returns the length of a text in the model's tokens."""
        return len(self._inner.tokenizer.encode(text, disallowed_special=()))

    def is_conditioned(self, voice: str, emotion: str) -> bool:
        """Whether nothing has to be computed from these recordings before speech."""
        return _key(voice) in self._inner._spk_cache and _key(emotion or voice) in self._inner._emo_cache  # noqa: SLF001

    @torch.no_grad()
    def condition(self, voice: str, emotion: str) -> None:
        """Computes what speech needs from the recordings, and keeps it."""
        heard = emotion or voice
        self._inner._speaker_conditioning(voice, _key(voice))  # noqa: SLF001
        self._inner._emotion_conditioning(heard, _key(heard))  # noqa: SLF001

    def forget(self, path: str) -> None:
        """Drops what is kept of a recording."""
        for cache in self._caches:
            for key in [key for key in cache if path in _paths(key)]:
                del cache[key]

    @property
    def conditioning_bytes(self) -> int:
        """Memory of what is kept of all recordings, on the device."""
        return sum(
            tensor.numel() * tensor.element_size()
            for cache in self._caches
            for kept in cache.values()
            for tensor in (kept if isinstance(kept, tuple) else (kept,))
            if isinstance(tensor, Tensor)
        )

    def speak(self, wish: Wish) -> Generator[Segment]:
        """Yields the parts of a text, each as soon as it is made; none where nothing can be pronounced."""
        self.segments = ()
        vector = {} if wish.emotion_vector is None else {"emo_vector": list(wish.emotion_vector)}
        chunks = self._tts.stream(
            wish.text,
            voice=wish.voice,
            lang=wish.language,
            speed=wish.duration_factor,
            emotion=wish.emotion or None,
            emotion_strength=wish.emotion_strength,
            **vector,
        )
        number = -1
        for chunk in chunks:
            number = self._number(chunk.text, number + 1)
            yield Segment(chunk.audio.astype(np.float32, copy=False), number)

    def _number(self, text: str, first: int) -> int:
        """Returns the number of a spoken segment: the library skips those that the model has no sound for."""
        later = enumerate(self.segments[first:], first)
        return next((number for number, segment in later if segment.strip() == text), first)

    def _note_segments(self, text: str, max_tokens: int, lang_prefix: str = "") -> list[str]:
        segments: list[str] = self._split(text, max_tokens, lang_prefix)
        self.segments = segments
        return segments

    @property
    def _caches(self) -> tuple[dict[Any, Any], ...]:
        return self._inner._spk_cache, self._inner._emo_cache, self._inner._emovec_cache  # noqa: SLF001


def _key(path: str) -> object:
    """Returns the library's key of a recording."""
    return infer_v2_5._audio_key(path)  # noqa: SLF001


def _paths(key: tuple[Any, ...]) -> set[Any]:
    """Returns the paths in a key: of a recording, (path, time), or of two, ((path, time), (path, time), alpha)."""
    return {part for item in key for part in (item if isinstance(item, tuple) else (item,))}


def _keep_grammars(folder: Path) -> None:
    """Has the library keep compiled grammars in a folder: NeMo compiles for some 25 s, and reads them in one."""
    if not hasattr(nemo_tn, "_CACHE_DIR"):
        raise _other_version("_CACHE_DIR")
    nemo_tn._CACHE_DIR = str(folder)  # noqa: SLF001


def _other_version(missing: str) -> StartupError:
    return StartupError(
        f"the installed indextts25-inference has no {missing}, so it is not the version that this server knows; run "
        "pip install 'phonoscope[indextts]'"
    )
