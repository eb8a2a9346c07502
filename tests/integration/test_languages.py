"""Every feature of text in every language of Kokoro's voices, through the real server and front ends.

The tone engine speaks with the phonemes of these voices, a tone for each, so no network is needed. A language is a row
of LANGUAGES; what is refused in one says so there.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pytest
import pytest_asyncio

from phonoscope.client import AsyncClient, InvalidArgument, PhonoscopeClientError, Pronunciation, TimingType
from phonoscope.client.types import Speech
from phonoscope.common.grpc_server import bind
from phonoscope.common.logs import configure_logs
from phonoscope.server import build
from phonoscope.server.engines.kokoro import languages
from phonoscope.server.engines.kokoro.alphabet import VOCABULARY
from phonoscope.server.engines.kokoro.config import SAMPLE_RATE_HZ
from phonoscope.server.engines.tone import ToneEngine
from phonoscope.server.settings import ServerSettings
from phonoscope.server.telemetry.pipeline import build_telemetry
from phonoscope.server.types import Voice

GENEROUS_SECONDS: Final = 60.0
LONG_REPEATS: Final = 60
PHONEMES: Final = (TimingType.PHONEME,)
WORDS: Final = (TimingType.WORD,)


@dataclass(frozen=True, slots=True)
class Language:
    """What is said in a language, and what that must sound like.

    Attributes:
        sentence: several words with marks.
        words: of `sentence`, as timings have them.
        word: a word of `sentence` on its own, which `ipa` pronounces in another way.
        said: say-as elements, as (interpret-as, format, content), with the words that sound the same.
        refused: say-as elements that the language has no words for.
        phrase: words without a mark, to be repeated.
        phrase_words: number of them.
        pieces: numbers, abbreviations and quotes among sentences.
        mixed: a text with a Latin word in it, and the number of words heard.
    """

    sentence: str
    words: tuple[str, ...]
    word: str
    ipa: str
    said: Mapping[tuple[str, str, str], str]
    phrase: str
    phrase_words: int
    pieces: str
    mixed: tuple[str, int]
    refused: tuple[tuple[str, str, str], ...] = field(default=())


CARDINAL, ORDINAL = ("cardinal", "", "5"), ("ordinal", "", "3")
DATE, YEAR, MONTH = ("date", "ymd", "2026-11-27"), ("date", "y", "2026"), ("date", "m", "5")
ENGLISH_SAID: Final = {
    CARDINAL: "five",
    ORDINAL: "third",
    DATE: "November twenty-seventh, twenty twenty-six",
    YEAR: "twenty twenty-six",
    MONTH: "May",
}
# By the first letter of a voice's name. A new language needs a row here and nothing else.
LANGUAGES: Final[Mapping[str, Language]] = {
    "a": Language(
        sentence="The old dog sleeps, and the cat reads.",
        words=("The", "old", "dog", "sleeps", "and", "the", "cat", "reads"),
        word="dog",
        ipa="kæt",
        said=ENGLISH_SAID,
        phrase="the quick brown fox jumps over the lazy dog and",
        phrase_words=10,
        pieces='He said, "Hello there!" Dr. Smith paid $3.50 at 5 p.m. on Main St. Then they left — quietly… so.',
        mixed=("the café and the Straße", 5),
    ),
    "b": Language(
        sentence="The old dog sleeps, and the cat reads.",
        words=("The", "old", "dog", "sleeps", "and", "the", "cat", "reads"),
        word="dog",
        ipa="kat",
        said=ENGLISH_SAID,
        phrase="the quick brown fox jumps over the lazy dog and",
        phrase_words=10,
        pieces='It cost £3.50, in 2024. "Really?" Mr. Jones asked. The colour (grey) is fine: see 5/6/2026.',
        mixed=("the café and the Straße", 5),
    ),
    "e": Language(
        sentence="El perro duerme, y la niña lee.",
        words=("El", "perro", "duerme", "y", "la", "niña", "lee"),
        word="perro",
        ipa="ˈɡato",
        said={
            CARDINAL: "cinco",
            ORDINAL: "tercero",
            DATE: "27 de noviembre de 2026",
            YEAR: "2026",
            MONTH: "mayo",
        },
        phrase="la casa de mi madre es muy grande y",
        phrase_words=9,
        pieces="El Sr. García pagó 3,50 € el 5 de mayo. ¿Qué dijo? «¡Hola!» Luego, se fue a casa con su madre.",
        mixed=("la casa y el software", 5),
    ),
    "f": Language(
        sentence="Le chien dort, et la fille mange.",
        words=("Le", "chien", "dort", "et", "la", "fille", "mange"),
        word="chien",
        ipa="ʃa",
        said={
            CARDINAL: "cinq",
            ORDINAL: "troisième",
            DATE: "27 novembre 2026",
            YEAR: "2026",
            MONTH: "mai",
        },
        phrase="la maison de ma mère est très grande et",
        phrase_words=9,
        pieces="M. Dupont a payé 3,50 € le 5 mai. Qu'a-t-il dit ? « Bonjour ! » Puis, il est parti avec sa mère.",
        mixed=("la maison et le software", 5),
    ),
    "h": Language(
        sentence="कुत्ता सोता है, और लड़की पढ़ती है।",
        words=("कुत्ता", "सोता", "है", "और", "लड़की", "पढ़ती", "है"),
        word="कुत्ता",
        ipa="bɪlːi",
        said={
            CARDINAL: "5",
            DATE: "27 नवंबर 2026",
            YEAR: "2026",
            MONTH: "मई",
        },
        refused=(ORDINAL,),
        phrase="मेरा घर बहुत बड़ा है और",
        phrase_words=6,
        pieces="मुझे आज बाज़ार जाना है। क्या आप हिंदी बोलते हैं? हाँ, मैं 25 साल का हूँ। बहुत अच्छा!",
        mixed=("मैंने hello कहा", 3),
    ),
    "i": Language(
        sentence="Il cane dorme, e la ragazza legge.",
        words=("Il", "cane", "dorme", "e", "la", "ragazza", "legge"),
        word="cane",
        ipa="ˈɡatːo",
        said={
            CARDINAL: "cinque",
            ORDINAL: "terzo",
            DATE: "27 novembre 2026",
            YEAR: "2026",
            MONTH: "maggio",
        },
        phrase="la casa di mia madre è molto grande e",
        phrase_words=9,
        pieces="Il sig. Rossi ha pagato 3,50 € il 5 maggio. Che cosa ha detto? «Ciao!» Poi, è andato a casa.",
        mixed=("la casa e il software", 5),
    ),
    "p": Language(
        sentence="O cachorro dorme, e a menina lê.",
        words=("O", "cachorro", "dorme", "e", "a", "menina", "lê"),
        word="cachorro",
        ipa="ˈɡatu",
        said={
            CARDINAL: "cinco",
            ORDINAL: "terceiro",
            DATE: "27 de novembro de 2026",
            YEAR: "2026",
            MONTH: "maio",
        },
        phrase="a casa da minha mãe é muito grande e",
        phrase_words=9,
        pieces="O Sr. Silva pagou R$ 3,50 no dia 5 de maio. O que ele disse? «Olá!» Depois, foi para casa.",
        mixed=("a casa e o software", 5),
    ),
    "z": Language(
        sentence="狗在睡觉，女孩在看书。",
        words=("狗", "在", "睡", "觉", "女", "孩", "在", "看", "书"),
        word="狗",
        ipa="mau˥",
        said={
            CARDINAL: "五",
            ORDINAL: "第三",
            DATE: "二零二六年十一月二十七日",
            YEAR: "二零二六年",
            MONTH: "五月",
        },
        phrase="我们今天学习普通话然后去吃饭",
        phrase_words=14,
        pieces="今天是2026年11月27日，气温-5℃。他说：“你好！”价格是¥49.95，面积5m²，我们用Python写AI。一个人；不行吗？",
        mixed=("我说hello世界", 5),
    ),
    "j": Language(
        sentence="犬が寝て、猫が本を読む。",
        words=("犬", "が", "寝", "て", "猫", "が", "本", "を", "読む"),
        word="犬",
        ipa="neko",
        said={
            CARDINAL: "五",
            ORDINAL: "三番目",
            DATE: "2026年11月27日",
            YEAR: "2026年",
            MONTH: "5月",
        },
        phrase="今日は友だちと図書館で本を借りてから家に帰って",
        phrase_words=14,
        pieces="今日は2026年11月27日で、気温は-5℃です。彼は「こんにちは！」と言った。値段は¥1,980、面積は5m²、PythonでAIを書く。一人；だめですか？",
        mixed=("私はhelloと言う", 5),
    ),
}
READ: Final = {letter: one for letter, one in languages.LANGUAGES.items() if one.is_readable}
every = pytest.mark.parametrize("letter", [letter for letter in LANGUAGES if letter in READ])
in_module_loop = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client() -> AsyncIterator[AsyncClient]:
    """A client of a server with a voice of each language."""
    settings = ServerSettings()
    telemetry = build_telemetry(settings, configure_logs("json", "error"), build.served_methods())
    rpc = build.build_rpc(settings, telemetry)
    engine = ToneEngine(
        [
            Voice(f"{letter}f_tone", one.tag, SAMPLE_RATE_HZ, one.scheme(VOCABULARY), engine="tone")
            for letter, one in READ.items()
        ]
    )
    front_end = build.build_front_end(settings)
    for voice in engine.voices:
        front_end.check(voice.phonemes)
    scheduler = build.build_scheduler([engine], lambda _event: None, settings)
    await scheduler.start()
    synthesizer = build.build_synthesizer(scheduler, [engine], front_end, lambda _event: None, settings)
    target = f"127.0.0.1:{bind(rpc.server, '127.0.0.1', 0)}"
    await rpc.server.start()
    rpc.speech.begin(synthesizer)
    async with AsyncClient(target) as connected:
        yield connected
    await rpc.server.stop(None)
    await scheduler.drain(0)
    synthesizer.close()


async def speak(client: AsyncClient, letter: str, text: str = "", **options: Any) -> Speech:
    async with asyncio.timeout(GENEROUS_SECONDS):
        return await client.synthesize(text, voice=f"{letter}f_tone", seed=1, **options)


async def ssml(client: AsyncClient, letter: str, inside: str, **options: Any) -> Speech:
    return await speak(client, letter, ssml=f"<speak>{inside}</speak>", **options)


def peak(speech: Speech) -> float:
    return float(np.abs(np.frombuffer(speech.audio, "<i2")).max())


def sounds_of(speech: Speech) -> str:
    return "".join(one.phoneme for one in speech.timings.phonemes)


def test_every_language_that_is_read_has_its_row() -> None:
    assert set(READ) <= set(LANGUAGES), "add a row for it above"


@in_module_loop
@every
async def test_a_break_is_as_long_as_it_says(client: AsyncClient, letter: str) -> None:
    word = LANGUAGES[letter].word
    short, long = [await ssml(client, letter, f'{word}<break time="{ms}ms"/>{word}') for ms in (100, 800)]
    assert long.audio_seconds - short.audio_seconds == pytest.approx(0.7, abs=0.01)


@in_module_loop
@every
async def test_prosody_changes_rate_pitch_and_volume(client: AsyncClient, letter: str) -> None:
    sentence = LANGUAGES[letter].sentence
    plain, slow, high, soft = [
        await ssml(client, letter, f"<prosody {how}>{sentence}</prosody>")
        for how in ('rate="100%"', 'rate="50%"', 'pitch="+30%"', 'volume="-6dB"')
    ]
    assert slow.audio_seconds == pytest.approx(2 * plain.audio_seconds, rel=0.1)
    assert high.audio != plain.audio
    assert peak(soft) == pytest.approx(peak(plain) / 2, rel=0.1)


SAID = [(letter, one) for letter, language in LANGUAGES.items() if letter in READ for one in language.said]


@in_module_loop
@pytest.mark.parametrize(("letter", "kind"), SAID, ids=str)
async def test_say_as_sounds_like_its_words(client: AsyncClient, letter: str, kind: tuple[str, str, str]) -> None:
    interpret_as, form, content = kind
    element = f'<say-as interpret-as="{interpret_as}" format="{form}">{content}</say-as>'
    words = LANGUAGES[letter].said[kind]
    spoken, read = [await ssml(client, letter, inside, timing_types=PHONEMES) for inside in (element, words)]
    assert sounds_of(spoken) == sounds_of(read) != ""


@in_module_loop
@every
async def test_say_as_without_words_is_refused_with_the_language(client: AsyncClient, letter: str) -> None:
    for interpret_as, form, content in LANGUAGES[letter].refused:
        with pytest.raises(PhonoscopeClientError, match=f"not supported in {READ[letter].tag}; write it in words"):
            await ssml(client, letter, f'<say-as interpret-as="{interpret_as}" format="{form}">{content}</say-as>')
    with pytest.raises(PhonoscopeClientError, match="use one of characters"):
        await ssml(client, letter, '<say-as interpret-as="time">5:00</say-as>')


@in_module_loop
@every
async def test_characters_and_telephone_numbers_are_read_one_by_one(client: AsyncClient, letter: str) -> None:
    for kind, content, count in (("characters", "AB1", 3), ("telephone", "+1 555-0142", 9), ("digits", "0142", 4)):
        element = f'<say-as interpret-as="{kind}">{content}</say-as>'
        speech = await ssml(client, letter, element, timing_types=WORDS)
        assert len(speech.timings.words) == count
    one, other = [await ssml(client, letter, f'<say-as interpret-as="characters">{it}</say-as>') for it in "AE"]
    assert one.audio != other.audio


@in_module_loop
@every
async def test_a_substitute_is_read_instead(client: AsyncClient, letter: str) -> None:
    word = LANGUAGES[letter].word
    inside = f'<sub alias="{word}">W3C</sub>', word
    substituted, plain = [await ssml(client, letter, one, timing_types=PHONEMES) for one in inside]
    assert sounds_of(substituted) == sounds_of(plain) != ""


@in_module_loop
@every
async def test_ipa_of_an_element_or_a_request_sets_the_sounds(client: AsyncClient, letter: str) -> None:
    language = LANGUAGES[letter]
    inside = f'<phoneme ph="{language.ipa}">{language.word}</phoneme>'
    element = await ssml(client, letter, inside, timing_types=PHONEMES)
    entry = Pronunciation(language.word, ipa=language.ipa)
    request = await speak(client, letter, language.word, pronunciations=[entry], timing_types=PHONEMES)
    plain = await speak(client, letter, language.word, timing_types=PHONEMES)
    assert sounds_of(element) == sounds_of(request) == language.ipa
    assert sounds_of(plain) != language.ipa


@in_module_loop
@every
async def test_ipa_that_a_voice_has_no_sound_for_is_refused(client: AsyncClient, letter: str) -> None:
    with pytest.raises(InvalidArgument, match=f"{letter}f_tone does not support 'ʢ'"):
        await ssml(client, letter, f'<phoneme ph="aʢ">{LANGUAGES[letter].word}</phoneme>')


@in_module_loop
@every
async def test_timings_have_every_word_and_sound_in_order(client: AsyncClient, letter: str) -> None:
    language = LANGUAGES[letter]
    kinds = [TimingType.WORD, TimingType.PHONEME, TimingType.VISEME]
    speech = await speak(client, letter, language.sentence, timing_types=kinds)
    assert tuple(one.word for one in speech.timings.words) == language.words
    for timings in (speech.timings.words, speech.timings.phonemes, speech.timings.visemes):
        starts = [one.start_seconds for one in timings]
        assert starts == sorted(starts)
        assert 0 <= starts[0] <= starts[-1] < speech.audio_seconds
    assert len(speech.timings.phonemes) >= len(language.words)
    assert len({one.viseme for one in speech.timings.visemes}) > 3


@in_module_loop
@every
@pytest.mark.parametrize("size", [1, 7])
async def test_text_in_pieces_sounds_like_the_whole(client: AsyncClient, letter: str, size: int) -> None:
    text = LANGUAGES[letter].pieces

    async def heard(size: int) -> tuple[bytes, str]:
        async def pieces() -> AsyncIterator[str]:
            for start in range(0, len(text), size):
                yield text[start : start + size]

        options = {"voice": f"{letter}f_tone", "seed": 1, "timing_types": PHONEMES}
        async with asyncio.timeout(GENEROUS_SECONDS):
            chunks = [chunk async for chunk in client.stream_pieces(pieces(), **options)]
        sounds = "".join(one.phoneme for chunk in chunks for one in chunk.timings.phonemes)
        return b"".join(chunk.audio for chunk in chunks), sounds

    cut, joined = await heard(size), await heard(len(text))
    assert cut == joined
    assert cut[1] == sounds_of(await speak(client, letter, text, timing_types=PHONEMES))


@in_module_loop
@every
async def test_a_long_sentence_without_marks_loses_no_word(client: AsyncClient, letter: str) -> None:
    language = LANGUAGES[letter]
    text = ("" if letter in "jz" else " ").join([language.phrase] * LONG_REPEATS)
    options = {"voice": f"{letter}f_tone", "timing_types": WORDS}
    async with asyncio.timeout(GENEROUS_SECONDS):
        chunks = [chunk async for chunk in client.stream(text, **options)]
    words = [word for chunk in chunks for word in chunk.timings.words]
    assert len(words) == LONG_REPEATS * language.phrase_words


@in_module_loop
@every
async def test_unknown_characters_are_left_out(client: AsyncClient, letter: str) -> None:
    word = LANGUAGES[letter].word
    text = f"{word} \U000f0000 \u16a0 \U0001f984 {word}"
    speech = await speak(client, letter, text, timing_types=WORDS)
    assert [one.word for one in speech.timings.words] == [word, word]


@in_module_loop
@every
async def test_a_word_of_another_language_is_spoken(client: AsyncClient, letter: str) -> None:
    text, count = LANGUAGES[letter].mixed
    speech = await speak(client, letter, text, timing_types=WORDS)
    assert len(speech.timings.words) == count


@in_module_loop
@every
async def test_a_text_in_a_script_that_the_voice_does_not_read_is_refused(client: AsyncClient, letter: str) -> None:
    with pytest.raises(PhonoscopeClientError, match="Cyrillic script"):
        await speak(client, letter, "Привет, мир")
