"""Documents that were written for Azure, Google or Polly: each row of the table in docs/ssml.md.

The markup is that of their references (Azure: "Speech Synthesis Markup Language overview" and its three parts; Google:
"Speech Synthesis Markup Language (SSML)"; Polly: "Supported SSML tags"); the texts are ours.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[5] / "docs" / "ssml.md"
SERVED = ""


@dataclass(frozen=True)
class Row:
    """One thing that other services read.

    Attributes:
        shown: as the table has it.
        makers: who documents it.
        content: a document's content with it.
        skipped: the texts that are spoken with --unsupported-ssml skip.
        refusal: a part of the refusal without it; SERVED where there is none.
    """

    shown: str
    makers: str
    content: str
    skipped: list[str]
    refusal: str = SERVED


def date(form: str, written: str) -> str:
    return f'<say-as interpret-as="date" format="{form}">{written}</say-as>'


def say_as(kind: str, content: str) -> str:
    return f'<say-as interpret-as="{kind}">{content}</say-as>'


# fmt: off
ROWS = [
    Row('<break strength="weak"/>', "all", 'a <break strength="weak"/> b', ["a ,", " b."]),
    Row('<break time="750ms"/>', "all", 'a <break time="750ms"/> b', ["a ,", " b."]),
    Row('<break time="3"/>', "Google", 'a <break time="3"/> b', ["a ,", " b."], "<break>: time='3' is not valid"),
    Row('<break time="20s"/>', "Azure", 'a <break time="20s"/> b', ["a ,", " b."], "<break>: time='20s' is not valid"),
    Row('<emphasis level="moderate">', "all", '<emphasis level="moderate">a</emphasis>', ["a."]),
    Row('<prosody rate="+10.00%">', "all", '<prosody rate="+10.00%">a</prosody>', ["a."]),
    Row('<prosody rate="0.9">', "Azure", '<prosody rate="0.9">a</prosody>', ["a."]),
    Row('<prosody pitch="+0Hz">', "Azure", '<prosody pitch="+0Hz">a</prosody>', ["a."]),
    Row('<prosody pitch="-5%">', "all", '<prosody pitch="-5%">a</prosody>', ["a."]),
    Row('<prosody volume="+20.00%">', "Azure", '<prosody volume="+20.00%">a</prosody>', ["a."]),
    Row('<prosody volume="75">', "Azure", '<prosody volume="75">a</prosody>', ["a."], "volume='75' is not valid"),
    Row('<prosody volume="+6dB">', "Google, Polly", '<prosody volume="+6dB">a</prosody>', ["a."]),
    Row('<prosody contour="…">', "Azure", '<prosody contour="(0%,+20Hz) (80%,-10%)">a</prosody>', ["a."],
        "<prosody>: the attribute contour is not supported"),
    Row('<prosody amazon:max-duration="2s">', "Polly", '<prosody amazon:max-duration="2s">a</prosody>', ["a."],
        "<prosody>: the attribute amazon:max-duration is not supported"),
    Row('<voice name="…">, not loaded', "Azure, Google", '<voice name="en-US-AvaNeural">a</voice>', ["a."],
        "'en-US-AvaNeural' is not loaded"),
    Row('<voice language="…" gender="…">', "Google", '<voice language="fr-FR" gender="female">a</voice>', ["a."],
        "<voice>: the attribute language is not supported"),
    Row('<voice effect="eq_car">', "Azure", '<voice name="choir" effect="eq_car">a</voice>', ["a."],
        "<voice>: the attribute effect is not supported"),
    Row('<lang xml:lang="de-DE">', "all", '<lang xml:lang="de-DE">a</lang>', ["a."]),
    Row('<w role="amazon:VB">', "Polly", 'I <w role="amazon:VB">read</w>', ["I read."]),
    Row('<sub alias="…">', "all", '<sub alias="avenue">Av</sub>', ["avenue."]),
    Row('<mark name="…"/>', "Google, Polly", 'a<mark name="here"/> b', ["a b."]),
    Row('<bookmark mark="…"/>', "Azure", 'a<bookmark mark="here"/> b', ["a b."], "<bookmark> is not supported"),
    Row('<phoneme alphabet="ipa">', "all", '<phoneme alphabet="ipa" ph="pik">a</phoneme>', ["a."]),
    Row('<phoneme alphabet="x-sampa">', "all", '<phoneme alphabet="x-sampa" ph="pI\'kA:n">pecan</phoneme>', ["pecan."],
        "<phoneme>: alphabet='x-sampa' is not supported; use ipa"),
    Row('<phoneme alphabet="sapi">', "Azure", '<phoneme alphabet="sapi" ph="ae">a</phoneme>', ["a."],
        "<phoneme>: alphabet='sapi' is not supported; use ipa"),
    Row("say-as cardinal, number", "all", say_as("cardinal", "12"), ["twelve."]),
    Row("say-as ordinal", "all", say_as("ordinal", "3"), ["third."]),
    Row("say-as characters, spell-out", "all", say_as("spell-out", "ab"), ["a b."]),
    Row("say-as verbatim", "Google", say_as("verbatim", "ab"), ["a b."]),
    Row("say-as digits", "Azure, Polly", say_as("digits", "12"), ["1 2."]),
    Row("say-as telephone", "all", '<say-as interpret-as="telephone" format="1">55-12</say-as>', ["5 5, 1 2."]),
    Row("say-as date, format mdy", "all", date("mdy", "9/10/1960"), ["September tenth, nineteen sixty."]),
    Row("say-as date, format ydm", "Azure", date("ydm", "1960-10-09"), ["September tenth, nineteen sixty."]),
    Row("say-as date, format yyyymmdd", "Google, Polly", date("yyyymmdd", "1960-09-10"),
        ["September tenth, nineteen sixty."]),
    Row("say-as date, format yyyymmdd, 19600910", "Google, Polly", date("yyyymmdd", "19600910"),
        ["September tenth, nineteen sixty."]),
    Row("say-as date, format yyyymmdd, ????0910", "Polly", date("yyyymmdd", "????0910"), ["September tenth."]),
    Row("say-as date without format", "Google, Polly", say_as("date", "9/10/1960"), ["9/10/1960."],
        "'9/10/1960' requires the attribute format"),
    Row("say-as time", "all", say_as("time", "2:30pm"), ["2:30pm."], "interpret-as='time' is not supported"),
    Row("say-as duration", "Azure", say_as("duration", "01:18:30"), ["01:18:30."], "'duration' is not supported"),
    Row("say-as currency", "Azure, Google", say_as("currency", "$42.01"), ["$42.01."], "'currency' is not supported"),
    Row("say-as unit", "Google, Polly", say_as("unit", "10 foot"), ["10 foot."], "'unit' is not supported"),
    Row("say-as fraction", "all", say_as("fraction", "5+1/2"), ["5+1/2."], "'fraction' is not supported"),
    Row("say-as address", "Azure, Polly", say_as("address", "7 Elm St"), ["7 Elm St."], "'address' is not supported"),
    Row("say-as name", "Azure", say_as("name", "ED"), ["ED."], "interpret-as='name' is not supported"),
    Row("say-as bleep, expletive: not spoken", "Google, Polly", f'a {say_as("expletive", "damn")} b', ["a  b."],
        "'expletive' is not supported"),
    Row('<audio src="…">: its text', "Azure, Google", '<audio src="a.mp3"><desc>a cat</desc>meow</audio>', ["meow."],
        "<audio> is not supported"),
    Row("<par>, <seq>, <media>", "Google",
        '<par><media xml:id="q" begin="1s"><speak>a</speak></media><seq><media><speak> b</speak></media></seq></par>',
        ["a b."], "<par> is not supported"),
    Row('<lexicon uri="…"/>', "Azure", '<lexicon uri="https://example.org/a.xml"/>a', ["a."],
        "<lexicon> is not supported"),
    Row('<google:style name="lively">', "Google", '<google:style name="lively">a</google:style>', ["a."],
        "<google:style> is not supported"),
    Row('<amazon:effect name="whispered">', "Polly", '<amazon:effect name="whispered">a</amazon:effect>', ["a."],
        "<amazon:effect> is not supported"),
    Row('<amazon:effect phonation="soft">', "Polly", '<amazon:effect phonation="soft">a</amazon:effect>', ["a."],
        "<amazon:effect> is not supported"),
    Row('<amazon:domain name="news">', "Polly", '<amazon:domain name="news">a</amazon:domain>', ["a."],
        "<amazon:domain> is not supported"),
    Row("<amazon:breath/>", "Polly", 'a<amazon:breath duration="long"/> b', ["a b."],
        "<amazon:breath> is not supported"),
    Row("<amazon:auto-breaths>", "Polly", "<amazon:auto-breaths>a</amazon:auto-breaths>", ["a."],
        "<amazon:auto-breaths> is not supported"),
    Row('<mstts:express-as style="cheerful">', "Azure",
        '<mstts:express-as style="cheerful" styledegree="2">a</mstts:express-as>', ["a."],
        "<mstts:express-as> is not supported"),
    Row("<mstts:silence/>, <mstts:viseme/>", "Azure",
        '<mstts:viseme type="redlips_front"/>a<mstts:silence type="Sentenceboundary" value="200ms"/> b', ["a b."],
        "<mstts:viseme> is not supported"),
    Row("<mstts:backgroundaudio/>", "Azure", '<mstts:backgroundaudio src="a.wav" volume="0.7"/>a', ["a."],
        "<mstts:backgroundaudio> is not supported"),
    Row("<mstts:audioduration/>", "Azure", 'a<mstts:audioduration value="20s"/>', ["a."],
        "<mstts:audioduration> is not supported"),
]
# fmt: on


def of(rows: list[Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", rows, ids=[row.shown for row in rows])


@of(ROWS)
def test_with_skip_everything_is_spoken(read, row: Row) -> None:
    assert read.speak(row.content, skips=True).texts == row.skipped


@of([row for row in ROWS if row.refusal])
def test_otherwise_it_is_refused_by_name_and_place(read, row: Row) -> None:
    reason, told = read.refusal(f"<speak>\n{row.content}</speak>")
    assert reason in ("SSML_UNSUPPORTED", "SSML_INVALID", "VOICE_UNKNOWN")
    assert re.match("line 2, column [0-9]+: ", told)
    assert row.refusal in told


@of([row for row in ROWS if not row.refusal])
def test_what_is_served_is_the_same_without_skip(read, row: Row) -> None:
    strict, skipping = (read.speak(row.content, skips=skips) for skips in (False, True))
    assert (strict.texts, strict.runs, strict.pauses) == (skipping.texts, skipping.runs, skipping.pauses)


def test_the_table_of_the_docs_has_these_rows() -> None:
    def line(row: Row) -> str:
        markup = f"`{row.shown}`" if row.shown.startswith("<") and row.shown.endswith(">") else row.shown
        return f"| {markup} | {row.makers} | {'rejected' if row.refusal else 'supported'} |"

    table = DOCS.read_text("utf-8").partition("## Documents of other services")[2].partition("\n## ")[0]
    assert [found for found in table.splitlines() if found.startswith("| ")][2:] == [line(row) for row in ROWS]


def test_a_whole_document_of_azure(read) -> None:
    document = (
        '<speak version="1.0" xmlns="http://www.w3.org/2001/10/synthesis" xmlns:mstts="https://www.w3.org/2001/mstts" '
        'xml:lang="en-US"><voice name="en-US-GuyNeural"><mstts:express-as style="chat"><prosody rate="+0%" '
        'pitch="+0Hz" volume="+0%">Good day.</prosody></mstts:express-as></voice></speak>'
    )
    said = read(document, skips=True)
    assert (said.texts, said.runs) == (["Good day."], [])


def test_percent_of_volume_is_of_the_amplitude(read) -> None:
    said = read.speak('<prosody volume="+100%">a <prosody volume="-50%">b</prosody></prosody>')
    assert [round(prosody.gain_db, 2) for _, prosody in said.runs] == [6.02]
    assert read.speak('<prosody volume="-100%">a</prosody>').prosody("a").gain_db == float("-inf")


def test_a_value_that_cannot_be_read_leaves_the_others(read) -> None:
    said = read.speak('<prosody rate="slow" volume="75">a</prosody>', skips=True)
    assert said.prosody("a").rate == 0.75
    assert said.prosody("a").gain_db == 0.0


def test_positions_behind_an_undeclared_prefix_are_those_of_the_document(read) -> None:
    document = "<speak>é <amazon:breath/>two</speak>"
    assert read(document, skips=True).written("two") == "two"
    assert read.refusal(document)[1].startswith("line 1, column 10: <amazon:breath> is not supported")


def test_a_prefix_at_the_root_may_be_undeclared(read) -> None:
    assert read('<speak amazon:domain="news">a</speak>', skips=True).texts == ["a."]


@pytest.mark.parametrize("skips", [False, True])
def test_a_document_type_is_refused_before_prefixes_are_looked_at(read, skips: bool) -> None:
    document = '<!DOCTYPE a [<!ENTITY e "ha">]><speak><x:y>&e;</x:y></speak>'
    assert "document type declaration is not allowed" in read.refusal(document, skips=skips)[1]
