"""TextProducer: what it hands to the scheduler of a request's text, and what it reports. The stream is a list."""

from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.events import Event, TextRead
from phonoscope.server.request.resolver import RequestResolver
from phonoscope.server.speech.incremental_input import Flush, IncrementalInput
from phonoscope.server.speech.playback import PlaybackClock
from phonoscope.server.speech.request_stats import RequestStats
from phonoscope.server.speech.text_producer import TextProducer
from phonoscope.server.speech.utterance_builder import Silence, SpokenSentence, UtteranceBuilder
from phonoscope.server.text.front_end import TextFrontEnd
from phonoscope.server.text.incremental import IncrementalText, TextInPieces
from phonoscope.server.text.markdown.incremental import IncrementalMarkdown
from phonoscope.server.text.phonemizer import Letters
from phonoscope.server.types import SpeechRequest, Utterance

JOE = tone_voice("joe")
RESOLVER = RequestResolver([JOE], max_characters=1000)


class NotedStream:
    """In place of a SpeechStream: notes what it is given, and has spoken all of it at once."""

    unspoken_utterances = 0

    def __init__(self) -> None:
        self.given: list[object] = []

    def say(self, utterance: Utterance, context: object) -> None:
        assert isinstance(context, SpokenSentence)
        assert utterance.text == context.sentence.text
        self.given.append((context.sentence.text, context.before))

    def expect(self, audio_seconds: float) -> None:
        assert audio_seconds > 0

    def finish_text(self, ending: object) -> None:
        self.given.append(ending)

    async def wait_until_fewer(self, utterances: int) -> None:
        assert utterances > 0


@pytest.fixture
def text_thread() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=1) as thread:
        yield thread


class Production:
    """A producer of one request, and what came of it."""

    def __init__(self, text_thread: ThreadPoolExecutor, *, in_pieces: bool = False, **fields: Any) -> None:
        resolved = RESOLVER.resolve(SpeechRequest(**({"text": ""} | fields)), in_pieces=in_pieces)
        self.stream, self.events = NotedStream(), list[Event]()
        self.stats = RequestStats(7, "id", len(resolved.source), None, voice="joe")
        front_end, builder = TextFrontEnd(Letters()), UtteranceBuilder(resolved, is_streamed=True)
        self.producer = TextProducer(front_end, text_thread, builder, resolved, self.stats, self.events.append)

    def _text(self) -> TextInPieces:
        is_markdown = self.producer._resolved.text_format == "markdown"
        return IncrementalMarkdown("en") if is_markdown else IncrementalText("en")

    async def script(self) -> list[object]:
        await self.producer.script(self.stream)  # type: ignore[arg-type]
        return self.stream.given

    async def pieces(self, *pieces: str) -> list[object]:
        async def coming() -> AsyncIterator[str | Flush]:
            for piece in pieces:
                yield piece

        await self.producer.pieces(
            self.stream,  # type: ignore[arg-type]
            pieces=coming(),
            incoming=IncrementalInput(PlaybackClock(), self._text()),
            clause_wait_seconds=1000.0,
            check_length=lambda _: None,
        )
        return self.stream.given


async def test_the_silence_and_the_marks_at_the_end_travel_with_the_end_of_the_text(
    text_thread: ThreadPoolExecutor,
) -> None:
    ssml = '<speak>One.<mark name="a"/><break time="300ms"/><mark name="b"/></speak>'
    given = await Production(text_thread, ssml=ssml).script()
    assert given == [("One.", Silence()), Silence(0.3, ((0.0, "a"), (0.3, "b")))]


async def test_silence_and_marks_between_sentences_travel_with_the_next_one(text_thread: ThreadPoolExecutor) -> None:
    ssml = '<speak>One.<mark name="a"/><break time="300ms"/>Two.</speak>'
    given = await Production(text_thread, ssml=ssml).script()
    assert given == [("One.", Silence()), ("Two.", Silence(0.3, ((0.0, "a"),))), Silence()]


async def test_a_plain_text_ends_without_silence(text_thread: ThreadPoolExecutor) -> None:
    assert (await Production(text_thread, text="One. Two.").script())[-1] == Silence()


async def test_a_text_in_pieces_ends_without_silence(text_thread: ThreadPoolExecutor) -> None:
    given = await Production(text_thread, in_pieces=True).pieces("One. T", "wo.")
    assert given == [("One.", Silence()), ("Two.", Silence()), Silence()]


async def test_a_text_that_is_read_to_its_end_is_reported_once(text_thread: ThreadPoolExecutor) -> None:
    production = Production(text_thread, ssml='<speak>One.<break time="1s"/>Two.</speak>')
    await production.script()
    (event,) = production.events
    assert isinstance(event, TextRead)
    assert (event.request, event.voice, event.sentences) == (7, "joe", 2)


async def test_a_text_with_nothing_to_say_is_refused_and_not_ended(text_thread: ThreadPoolExecutor) -> None:
    production = Production(text_thread, ssml='<speak><break time="1s"/>?!</speak>')
    with pytest.raises(InvalidRequest) as caught:
        await production.script()
    assert caught.value.reason == "TEXT_UNPRONOUNCEABLE"
    assert [violation.field for violation in caught.value.violations] == ["ssml"]
    assert production.stream.given == []


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"text": "?!"}, 0.2),
        ({"text": " "}, 0.2),
        ({"ssml": "<speak>?!</speak>"}, 0.2),
        ({"ssml": '<speak><break time="1s"/>?!</speak>'}, 1.0),
    ],
)
async def test_silence_stands_for_a_text_with_nothing_to_say_if_asked_for(
    text_thread: ThreadPoolExecutor, fields: dict[str, Any], seconds: float
) -> None:
    production = Production(text_thread, unpronounceable_text="silence", **fields)
    assert await production.script() == [Silence(seconds)]


@pytest.mark.parametrize("pieces", [("?", "!"), (" ",)])
async def test_silence_stands_for_pieces_with_nothing_to_say_if_asked_for(
    text_thread: ThreadPoolExecutor, pieces: tuple[str, ...]
) -> None:
    production = Production(text_thread, in_pieces=True, unpronounceable_text="silence")
    assert await production.pieces(*pieces) == [Silence(0.2)]


async def test_a_text_with_words_has_no_silence_in_place_of_them(text_thread: ThreadPoolExecutor) -> None:
    assert (await Production(text_thread, text="One. ?!", unpronounceable_text="silence").script())[-1] == Silence()


MARKDOWN = "# One\n\n```\nx\n```\n\n- **Two**\n- three\n"


async def test_markdown_is_read_with_a_pause_in_place_of_code(text_thread: ThreadPoolExecutor) -> None:
    production = Production(text_thread, text=MARKDOWN, text_format="markdown")
    expected = [("One.", Silence()), ("Two.", Silence(0.4)), ("three.", Silence()), Silence()]
    assert [_stripped(given) for given in await production.script()] == [_stripped(one) for one in expected]


async def test_markdown_in_pieces_is_read_as_it_is_as_a_whole(text_thread: ThreadPoolExecutor) -> None:
    whole = await Production(text_thread, text=MARKDOWN, text_format="markdown").script()
    production = Production(text_thread, in_pieces=True, text_format="markdown")
    assert await production.pieces(*MARKDOWN) == whole
    assert production.stats.characters == len(MARKDOWN)


def _stripped(given: object) -> object:
    """Returns the sentence without the mark at its end, which the last one lacks."""
    return (given[0].rstrip("."), given[1]) if isinstance(given, tuple) else given
