"""UtteranceBuilder: what the engine gets of each sentence, and what is kept until its samples come."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from phonoscope.server.emotions import EMOTIONS, NEUTRAL, Prosody
from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver, ResolvedRequest
from phonoscope.server.speech.utterance_builder import (
    SPEED_LIMITS,
    Silence,
    SpokenSentence,
    UtteranceBuilder,
    sentence_seed,
)
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.text.passage import Passage
from phonoscope.server.text.word_alignment import PLAIN, SentenceAlignment
from phonoscope.server.types import PhonemeScheme, Recording, SpeechRequest, Utterance, Voice

JOE = tone_voice("joe", sample_rate_hz=10_000)
DUO = tone_voice("duo", sample_rate_hz=20_000, speakers=("anna", "bea"))
ACTOR = replace(tone_voice("actor", language="de-DE"), emotion_rendering="native")
READER = replace(ACTOR, id="reader", phonemes=PhonemeScheme("plain", "", {}), has_timings=False, alphabets=())
CLONE = replace(READER, id="clone", reference=Recording.of(np.zeros(8, np.float32), 16_000, "Hello."))
VOICES = (JOE, DUO, ACTOR, READER, CLONE)
IDS = JOE.phonemes.ids
PASSAGE = Passage("Hello.")
SLOW, HIGH = Prosody(rate=0.5), Prosody(pitch=1.5)


def resolve(**fields: Any) -> ResolvedRequest:
    return RequestResolver(VOICES, max_characters=1000).resolve(SpeechRequest(**({"text": "Hello."} | fields)))


def builder(**fields: Any) -> UtteranceBuilder:
    return UtteranceBuilder(resolve(**fields))


def built(sentence: Sentence, passage: Passage = PASSAGE, **fields: Any) -> Utterance:
    """Returns the utterance of a request's only sentence."""
    return builder(**fields).build(sentence, passage, "Hello.")[0]


def sentence(phonemes: int = 4, alignment: SentenceAlignment = PLAIN, *, text: str = "") -> Sentence:
    return Sentence(0, 6, tuple(range(50, 50 + phonemes)), alignment=alignment, text=text)


def spelled(text: str) -> Sentence:
    ids = tuple(one for symbol in ("^", *text, "$") for one in (*IDS[symbol], *IDS["_"]))
    return Sentence(0, len(text), ids)


def read(text: str, prosody: Prosody | None = None) -> Sentence:
    """A sentence that an engine reads itself."""
    return Sentence(0, len(text), text, alignment=manners((0, prosody)) if prosody else PLAIN, text=text)


def manners(*each: tuple[int, Prosody]) -> SentenceAlignment:
    return SentenceAlignment(manners=each)


# --- who speaks, and what ---------------------------------------------------------------------------------------


def test_a_plain_sentence_is_spoken_as_the_request_wants_it() -> None:
    utterance = built(sentence(), speed=2.0)
    assert (utterance.voice_id, utterance.speaker, utterance.speed, utterance.rates) == ("joe", 0, 2.0, ())
    assert utterance.symbols == (50, 51, 52, 53)


def test_a_speaker_is_the_one_that_the_request_names() -> None:
    utterance = built(sentence(), speaker_id="duo:bea")
    assert (utterance.voice_id, utterance.speaker) == ("duo", 1)


def test_every_sentence_is_counted_and_has_a_seed_of_its_own() -> None:
    several = builder(seed=7)
    utterances = [several.build(sentence(), PASSAGE, "Hello.")[0] for _ in range(2)]
    assert [one.seed for one in utterances] == [sentence_seed(7, 0), sentence_seed(7, 1)]
    assert several.sentences == 2


def test_a_passage_of_somebody_else_is_spoken_by_them_and_the_next_one_is_not() -> None:
    several = builder(speaker_id="duo:anna")
    passages = (PASSAGE, replace(PASSAGE, voice=DUO, speaker=1), replace(PASSAGE, voice=JOE), PASSAGE)
    pairs = [several.build(sentence(), passage, "Hello.") for passage in passages]
    speakers = [("duo", 0), ("duo", 1), ("joe", 0), ("duo", 0)]
    assert [(utterance.voice_id, utterance.speaker) for utterance, _ in pairs] == speakers
    assert [(context.voice.id, context.speaker) for _, context in pairs] == speakers


def test_an_engine_gets_the_text_as_it_is_read_and_its_voices_language() -> None:
    utterance = built(sentence(text="Hallo."), speaker_id="actor")
    assert (utterance.text, utterance.language) == ("Hallo.", "de-DE")


def test_a_voice_that_reads_text_itself_gets_the_characters() -> None:
    assert built(read("Hello there."), speaker_id="reader").symbols == "Hello there."


def test_a_voice_speaks_like_its_reference() -> None:
    assert built(read("Hello."), speaker_id="clone").reference is CLONE.reference
    assert built(read("Hello."), speaker_id="reader").reference is None


def test_only_a_voice_that_takes_an_emotions_recording_gets_it() -> None:
    recording = Recording.of(np.zeros(8, np.float32), 16_000)
    resolved = replace(resolve(speaker_id="reader"), emotion_reference=recording)
    assert UtteranceBuilder(resolved).build(read("Hello."), PASSAGE, "Hello.")[0].emotion_reference is None
    able = replace(resolved, voice=replace(READER, takes_emotion_reference=True))
    assert UtteranceBuilder(able).build(read("Hello."), PASSAGE, "Hello.")[0].emotion_reference is recording


def test_no_sentence_has_the_seed_of_another_and_torch_takes_them_all() -> None:
    seeds = {sentence_seed(seed, number) for seed in (0, 1, 2**64 - 1) for number in range(100)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_for_ever() -> None:
    assert [sentence_seed(7, 0), sentence_seed(0, 7)] == [7127318741406446, 7932202226286955148]


# --- rates ------------------------------------------------------------------------------------------------------


def test_a_rate_holds_from_its_symbol_to_the_next_manner() -> None:
    utterance = built(sentence(5, manners((0, NEUTRAL), (2, SLOW), (4, Prosody(rate=1.25)))))
    assert utterance.rates == (1.0, 1.0, 0.5, 0.5, 1.25)


def test_manners_that_leave_the_rate_alone_make_no_rates() -> None:
    assert built(sentence(5, manners((0, NEUTRAL), (2, HIGH)))).rates == ()


@pytest.mark.parametrize(
    ("speed", "rate", "result"), [(4.0, 2.0, 5.0), (0.25, 0.5, 0.2), (4.0, 1.25, 5.0), (0.25, 0.8, 0.2), (2, 2, 4)]
)
def test_a_rate_and_the_speed_together_have_limits(speed: float, rate: float, result: float) -> None:
    utterance = built(sentence(2, manners((0, NEUTRAL), (1, Prosody(rate=rate)))), speed=speed)
    assert utterance.speeds == pytest.approx((speed, result))
    assert SPEED_LIMITS[0] <= utterance.speeds[1] <= SPEED_LIMITS[1]


@pytest.mark.parametrize("mark", [",", ";", ":"])
def test_an_emotion_stretches_pauses_and_the_pads_behind_them(mark: str) -> None:
    longer = EMOTIONS["sad"].pauses
    utterance = built(spelled(f"ab{mark}c."), emotion="sad")
    changed = [index for index, rate in enumerate(utterance.rates) if rate != 1.0]
    place = utterance.symbols.index(IDS[mark][0])
    assert changed == [place, place + 1], "neither other symbols nor the stop that ends it"
    assert [utterance.rates[index] for index in changed] == pytest.approx([1 / longer] * 2)


def test_without_an_emotion_a_pause_is_the_voices_own() -> None:
    assert built(spelled("ab,c.")).rates == ()


def test_a_pause_that_is_slow_is_slow_and_long() -> None:
    utterance = built(replace(spelled("a,"), alignment=manners((0, SLOW))), emotion="sad")
    pause = utterance.symbols.index(IDS[","][0])
    assert utterance.rates[pause] == pytest.approx(0.5 / EMOTIONS["sad"].pauses)
    assert utterance.rates[0] == 0.5


def test_a_pause_at_the_very_end_has_no_pad_behind_it() -> None:
    utterance = built(Sentence(0, 1, (50, *IDS[","])), emotion="sad")
    assert utterance.rates == pytest.approx((1.0, 1 / EMOTIONS["sad"].pauses))


@pytest.mark.parametrize(("speed", "rate", "result"), [(2.0, 0.5, 1.0), (4.0, 2.0, 5.0), (0.25, 0.5, 0.2)])
def test_a_text_that_the_engine_reads_has_one_speed_for_all_of_it(speed: float, rate: float, result: float) -> None:
    utterance = built(read("Hello, you.", Prosody(rate=rate)), speaker_id="reader", speed=speed)
    assert (utterance.speed, utterance.rates) == (pytest.approx(result), ())


def test_a_text_that_the_engine_reads_and_nothing_changes_has_the_requests_speed() -> None:
    assert built(read("Hello, you."), speaker_id="reader", speed=2.0).speed == 2.0


# --- emotions ---------------------------------------------------------------------------------------------------

MIXED = {"emotion_weights": {"sad": 0.5, "calm": 0.25}, "emotion_intensity": 0.5}


@pytest.mark.parametrize("voice", [ACTOR, READER])
def test_a_voice_that_renders_emotions_natively_gets_them_untouched(voice: Voice) -> None:
    utterance = built(spelled("ab,c."), speaker_id=voice.id, speed=1.25, **MIXED)
    assert (utterance.emotion_weights, utterance.emotion_intensity) == ({"sad": 0.5, "calm": 0.25}, 0.5)


@pytest.mark.parametrize("voice", [ACTOR, READER])
def test_a_voice_that_renders_emotions_natively_gets_no_prosody_of_them(voice: Voice) -> None:
    utterance = built(spelled("ab,c."), speaker_id=voice.id, speed=1.25, emotion="sad")
    assert (utterance.speed, utterance.rates) == (1.25, ())
    assert (utterance.variation, utterance.rhythm_variation) == (1.0, 1.0)


def test_a_voice_that_renders_emotions_by_prosody_gets_none() -> None:
    utterance = built(spelled("ab,c."), **MIXED)
    assert (utterance.emotion_weights, utterance.emotion_intensity) == ({}, 1.0)


def test_a_voice_that_renders_emotions_by_prosody_gets_their_prosody() -> None:
    utterance, sad = built(spelled("abc."), emotion="sad", speed=2.0), EMOTIONS["sad"]
    assert utterance.speed == pytest.approx(2.0 * sad.rate)
    assert (utterance.variation, utterance.rhythm_variation) == (sad.noise, sad.rhythm)


def spoken_by(own: Voice, other: Voice, **fields: Any) -> list[Utterance]:
    """Returns what both voices of a document get: its own voice first, then one that it names."""
    ssml = f'<speak>One, two. <voice name="{other.id}">One, two.</voice></speak>'
    resolved = resolve(text="", ssml=ssml, speaker_id=own.id, **fields)
    several = UtteranceBuilder(resolved)
    return [several.build(spelled("one, two."), passage, ssml)[0] for passage in resolved.script.passages]


def by_voice(utterances: list[Utterance]) -> dict[str, tuple[Any, ...]]:
    return {
        one.voice_id: (
            one.emotion_weights,
            one.emotion_intensity,
            round(one.speed, 9),
            one.variation,
            one.rhythm_variation,
            tuple(sorted({round(rate, 9) for rate in one.rates})),
        )
        for one in utterances
    }


@pytest.mark.parametrize(("own", "other"), [(JOE, ACTOR), (ACTOR, JOE)])
def test_a_document_of_both_kinds_of_voices_gives_each_its_own(own: Voice, other: Voice) -> None:
    sad = EMOTIONS["sad"]
    assert by_voice(spoken_by(own, other, emotion="sad", speed=2.0)) == {
        "actor": ({"sad": 1.0}, 1.0, 2.0, 1.0, 1.0, ()),
        "joe": ({}, 1.0, round(2.0 * sad.rate, 9), sad.noise, sad.rhythm, (round(1 / sad.pauses, 9), 1.0)),
    }


# --- what is kept until the samples come ------------------------------------------------------------------------


def test_a_context_has_the_sentence_its_place_and_the_silence_before_it() -> None:
    one, said = builder(), sentence()
    one.pause(0.02)
    one.leave_marks(("a",))
    one.pause(0.03)
    _, context = one.build(said, PASSAGE, "Hello.", 100)
    assert context == SpokenSentence(said, JOE, 0, "Hello.", 100, Silence(0.05, ((0.02, "a"),)))


def test_silence_and_marks_come_once() -> None:
    one = builder()
    one.pause(0.02)
    one.leave_marks(("a",))
    befores = [one.build(sentence(), PASSAGE, "Hello.")[1].before for _ in range(2)]
    assert befores == [Silence(0.02, ((0.02, "a"),)), Silence()]


def test_marks_stand_after_the_silence_before_them_in_order() -> None:
    one = builder()
    one.leave_marks(("a", "b"))
    one.pause(0.5)
    one.leave_marks(("c",))
    assert one.silence() == Silence(0.5, ((0.0, "a"), (0.0, "b"), (0.5, "c")))


def test_the_silence_at_the_end_is_what_came_since_the_last_sentence() -> None:
    one = builder()
    one.pause(1.0)
    one.leave_marks(("before",))
    one.build(sentence(), PASSAGE, "Hello.")
    one.pause(0.25)
    one.leave_marks(("end",))
    assert one.silence() == Silence(0.25, ((0.25, "end"),))
    assert one.silence() == Silence()
