"""What the text front end takes for 100 characters: plain, worded, with a lexicon, and a document of SSML.

Everything from a request's text to phoneme ids: reading the document, looking words up in a lexicon of 1 000 entries,
sentences, espeak-ng, words over phonemes. Words are known by then, as on a server that has been up for a while; the
last row has none known, the worst case.
"""

import time
from collections.abc import Callable, Iterator
from typing import Final

from benchmarks.ours import Ours
from benchmarks.rows import Row
from benchmarks.texts import TEXTS
from benchmarks.turns import in_turns, median
from phonoscope.server.request.resolver import RequestResolver
from phonoscope.server.text.espeak import Espeak
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.lexicon import Lexicon
from phonoscope.server.types import Pronunciation, SpeechRequest

PAGE: Final = TEXTS[2000]
ENTRIES: Final = 1_000
MAX_MS: Final = 1.0
ROUNDS: Final = 10  # for each round of the rest: it takes no time
SSML: Final = (
    "<speak><p>"
    + PAGE.replace("\n\n", "</p><p>").replace("the ", '<emphasis level="reduced">the</emphasis> ')
    .replace("1871", '<say-as interpret-as="date" format="y">1871</say-as>')
    .replace("Anna", '<phoneme ph="ˈænə">Anna</phoneme>')
    .replace("lighthouse", '<prosody rate="slow" pitch="+1st">lighthouse</prosody>')
    + "</p></speak>"
)  # fmt: skip


def measure_front_end(ours: Ours, rounds: int) -> Iterator[Row]:
    """Yields a row for each way of reading the page, all in turns."""
    entries = [Pronunciation(f"word{number}", ipa="wˈɜːd") for number in range(ENTRIES - 2)]
    entries += [Pronunciation("island", ipa="ˈaɪlənd"), Pronunciation("radio", respelling="ray dee oh")]
    lexicon = Lexicon.of(entries)
    resolver = RequestResolver([ours.voice], lambda _language: lexicon, max_characters=10_000)
    plain, warm = TextFrontEnd(Espeak()), TextFrontEnd(Espeak())
    contenders: dict[str, Callable[[], float]] = {
        "plain": lambda: _ms(ours, plain, SpeechRequest(PAGE), RequestResolver([ours.voice], max_characters=10_000)),
        f"lexicon of {ENTRIES} entries": lambda: _ms(ours, warm, SpeechRequest(PAGE), resolver),
        "the same, and timings": lambda: _ms(ours, warm, SpeechRequest(PAGE, timing_types=("word",)), resolver),
        "the same, as SSML": lambda: _ms(ours, warm, SpeechRequest("", ssml=SSML, timing_types=("word",)), resolver),
        "the same, no word known": lambda: _ms(
            ours, TextFrontEnd(Espeak()), SpeechRequest("", ssml=SSML, timing_types=("word",)), resolver
        ),
    }
    times = in_turns(ROUNDS * rounds, contenders)
    for what, samples in times.items():
        yield Row(
            "front end",
            f"100 characters, {what}",
            "ms",
            median(samples),
            median(times["plain"]),
            required=f"under {MAX_MS:g} ms",
            is_met=median(samples) < MAX_MS,
            samples={"ours": samples},
        )


def _ms(ours: Ours, front_end: TextFrontEnd, request: SpeechRequest, resolver: RequestResolver) -> float:
    """Reads a request; returns milliseconds for 100 characters of what is read."""
    began = time.perf_counter()
    resolved = resolver.resolve(request)
    lexicon = resolved.lexicon(ours.voice)
    for passage in resolved.script.passages:
        reading = front_end.sentences(passage, ours.voice.phonemes, lexicon, is_aligned=bool(resolved.timing_types))
        for _ in reading:
            pass
    return (time.perf_counter() - began) * 1000 / len(PAGE) * 100
