"""utterance_of: settings of the request, scales of the voice, a seed of its own."""

from phonoscope.server.engines.tone import tone_voice
from phonoscope.server.request.resolver import RequestResolver
from phonoscope.server.speech.utterances import sentence_seed, utterance_of
from phonoscope.server.text.front_end import Sentence
from phonoscope.server.types import SpeechRequest

JOE = tone_voice("joe", speakers=("anna", "bea"))
SENTENCE = Sentence(0, 5, (1, 2, 3), 0)


def test_an_utterance_has_what_the_request_asks_for() -> None:
    resolved = RequestResolver([JOE], most_characters=100).resolve(
        SpeechRequest("Hello.", speaker_id="joe:bea", speed=2.0, seed=7)
    )
    said = utterance_of(resolved, resolved.voice, resolved.speaker, SENTENCE, 3)
    assert (said.voice_id, said.phoneme_ids, said.speaker) == ("joe", (1, 2, 3), 1)
    assert (said.length_scale, said.speed) == (JOE.length_scale, 2.0)
    assert said.seed == sentence_seed(7, 3)


def test_no_sentence_has_the_seed_of_another_and_torch_takes_them_all() -> None:
    seeds = {sentence_seed(seed, number) for seed in (0, 1, 2**64 - 1) for number in range(100)}
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)


def test_a_seed_is_the_same_for_ever() -> None:
    assert sentence_seed(7, 0) == sentence_seed(7, 0) != sentence_seed(0, 7)
