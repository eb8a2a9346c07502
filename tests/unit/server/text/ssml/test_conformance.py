"""SSML 1.1 (W3C Recommendation, 2010), statement by statement: a document, and what is said of it, or the refusal.

Sections are those of the Recommendation. Where it leaves something to the processor, docs/ssml.md says what ours does.
"""

import math

import pytest

from phonoscope.server.emotions import NEUTRAL, Prosody
from phonoscope.server.text.ssml.values import EMPHASES, PITCHES, RATES, STRENGTHS_SECONDS, VOLUMES_DB

NAMESPACE = "http://www.w3.org/2001/10/synthesis"
HERE = "line 1, column 8: "

# --- 2.1 and 3.1.1: the document --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "opening",
    [
        "<speak>",
        '<speak version="1.0">',
        '<speak version="1.1">',
        '<speak version=" 1.1 ">',
        f'<speak xmlns="{NAMESPACE}">',
        f'<speak version="1.1" xmlns="{NAMESPACE}" xml:lang="en-US">',
        '<speak xml:base="http://example.org/" xml:id="top" xml:space="preserve">',
        '<speak xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:schemaLocation="a b">',
        '<?xml version="1.0"?>\n<speak>',
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><speak>',
        '<?xml version="1.0" encoding="ISO-8859-1"?><speak>',
        '<?xml version="1.0" encoding="UTF-16"?><speak>',
        "<!-- a comment first --><?and an instruction?><speak>",
    ],
)
def test_version_namespace_and_declaration_may_be_there_or_not(read, opening: str) -> None:
    assert read(f"{opening}Good day, Zoë.</speak>").texts == ["Good day, Zoë."]


def test_a_prefix_may_name_the_namespace(read) -> None:
    said = read(f'<t:speak xmlns:t="{NAMESPACE}"><t:emphasis>Now</t:emphasis> go.</t:speak>')
    assert (said.texts, said.runs) == (["Now go."], [("Now", EMPHASES["moderate"])])


@pytest.mark.parametrize("version", ["2.0", "1", "one", "1.10"])
def test_another_version_is_refused(read, version: str) -> None:
    reason, told = read.refusal(f'<speak version="{version}">a</speak>')
    assert (reason, told) == (
        "SSML_INVALID",
        f"line 1, column 1: <speak>: version={version!r} is not supported; use 1.0 or 1.1",
    )


@pytest.mark.parametrize(
    ("document", "reason", "told"),
    [
        ("<p>a</p>", "SSML_INVALID", "line 1, column 1: the root element is <p>; use <speak>"),
        ("<speak>a<speak>b</speak></speak>", "SSML_INVALID", "line 1, column 9: <speak> is nested in <speak>"),
        ("<speak/><speak/>", "SSML_INVALID", "line 1, column 9: junk after document element"),
        ("Hello", "SSML_INVALID", "line 1, column 1: syntax error"),
        ("<html>a</html>", "SSML_UNSUPPORTED", "line 1, column 1: <html> is not supported"),
        ('<speak xmlns="urn:other">a</speak>', "SSML_UNSUPPORTED", "line 1, column 1: <speak> is not supported"),
        (
            '<speak rate="fast">a</speak>',
            "SSML_UNSUPPORTED",
            "line 1, column 1: <speak>: the attribute rate is not supported",
        ),
        ("<speak>\n a <b>c</b></speak>", "SSML_UNSUPPORTED", "line 2, column 4: <b> is not supported"),
        ("<speak>\n\n a </s></speak>", "SSML_INVALID", "line 3, column 6: mismatched tag"),
    ],
)
def test_what_is_not_a_document_of_this_kind_is_refused_with_its_place(
    read, document: str, reason: str, told: str
) -> None:
    found, description = read.refusal(document)
    assert found == reason
    assert description.startswith(told)


@pytest.mark.parametrize("document", ["<speak/>", "<speak> \n </speak>", "<speak><p/><s> </s></speak>"])
def test_an_empty_document_says_nothing(read, document: str) -> None:
    assert read(document).texts == []


def test_elements_begin_where_they_end_and_none_is_left_open(read) -> None:
    content = "<p><s>One <emphasis>two</emphasis> <sub alias='iii'>3</sub>.</s></p>"
    read.speak(content)
    for tag in ("<p>", "<s>", "<emphasis>", "</emphasis>", "</sub>", "</s>", "</p>"):
        assert read.refusal(f"<speak>{content.replace(tag, '', 1)}</speak>")[0] == "SSML_INVALID"


# --- 3.1.2: xml:lang ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", ["p", "s", "w", "token", "emphasis", "prosody", "lang"])
def test_a_language_holds_within_its_element_and_all_that_is_in_it(read, element: str) -> None:
    said = read.speak(f'One <{element} xml:lang="de-DE">zwei <prosody rate="slow">drei</prosody></{element}> four.')
    assert [text.rstrip(" .,") for text in said.texts] == ["One", "zwei drei", " four"]
    assert said.speakers == ["", "eva:0", ""]


def test_a_language_of_the_document_is_everybodys(read) -> None:
    assert read('<speak xml:lang="fr">Bonjour.</speak>').speakers == ["luc:0"]


@pytest.mark.parametrize("language", ["en", "en-US", "en-GB", "EN_us"])
def test_a_voice_continues_in_any_variety_of_its_language(read, language: str) -> None:
    said = read.speak(f'One <lang xml:lang="{language}">two</lang> three.')
    assert (said.texts, said.speakers) == (["One two three."], [""])


def test_the_inner_language_counts(read) -> None:
    said = read.speak(
        '<p xml:lang="de">Eins <lang xml:lang="fr-CA">deux</lang> drei <lang xml:lang="en">four</lang></p>'
    )
    assert said.speakers == ["eva:0", "luc:0", "eva:0", "ann:0"]


def test_a_language_that_nobody_speaks_is_refused(read) -> None:
    reason, told = read.refusal('<speak>\n<lang xml:lang="pt">um</lang></speak>')
    assert reason == "LANGUAGE_UNKNOWN"
    assert told.startswith("line 2, column 1: no loaded voice supports 'pt'")


# --- 3.1.7 and 3.1.8.1: p and s ----------------------------------------------------------------------------------


def test_paragraphs_and_sentences_part_what_is_said(read) -> None:
    said = read.speak("<p><s>One</s><s>Two!</s> three</p><p>Four</p>")
    assert said.texts == ["One.", "Two!", " three.", "Four."]
    assert said.pauses == [0.0, 0.0, 0.0, 0.4, 0.0]


def test_text_need_stand_in_none_of_them(read) -> None:
    assert read.speak("One. <s>Two</s> Three.").texts == ["One. ", "Two.", " Three."]


@pytest.mark.parametrize(("outer", "inner"), [("p", "p"), ("s", "p"), ("s", "s")])
def test_a_paragraph_cannot_be_nested_and_a_sentence_only_in_a_paragraph(read, outer: str, inner: str) -> None:
    between = "<emphasis>"
    reason, told = read.refusal(f"<speak><{outer}>{between}<{inner}>a</{inner}></emphasis></{outer}></speak>")
    assert reason == "SSML_INVALID"
    assert told == f"line 1, column 21: <{inner}> is nested in <{outer}>; close <{outer}> first"


@pytest.mark.parametrize("element", ["emphasis", "prosody", "w", 'lang xml:lang="en"', 'voice name="ann"'])
def test_sentences_may_stand_in_what_changes_how_they_are_said(read, element: str) -> None:
    said = read.speak(f"<{element}><s>One</s><s>Two</s></{element.split(maxsplit=1)[0]}>")
    assert said.texts == ["One.", "Two."]


def test_manners_end_with_their_element_even_over_sentences(read) -> None:
    said = read.speak("<prosody pitch='high'><s>One.</s><s>Two.</s></prosody><s>Three.</s>")
    assert [text for text, _ in said.runs] == ["One.", "Two."]


# --- 3.1.8.2: token and w ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("element", ["token", "w"])
def test_a_token_says_what_it_holds_and_its_role_changes_nothing(read, element: str) -> None:
    said = read.speak(f'I <{element} role="past">read</{element}> it <{element}><emphasis>now</emphasis></{element}>.')
    assert said.texts == ["I read it now."]


# --- 3.1.9: say-as -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ('<say-as interpret-as="cardinal">42</say-as>', "forty-two."),
        ('<say-as interpret-as="ordinal">42</say-as>', "forty-second."),
        ('<say-as interpret-as="digits">42</say-as>', "4 2."),
        ('<say-as interpret-as="characters">aB</say-as>', "a B."),
        ('<say-as interpret-as="date" format="dmy">3/4/1999</say-as>', "April third, nineteen ninety-nine."),
        ('<say-as interpret-as="date" format="ymd">99-04-03</say-as>', "April third, nineteen ninety-nine."),
        ('<say-as interpret-as="telephone" detail="punctuation">01-2</say-as>', "0 1, 2."),
    ],
)
def test_say_as_names_what_its_text_is(read, element: str, said: str) -> None:
    assert read.speak(element).texts == [said]


@pytest.mark.parametrize("name", ["say-as", "sub", "phoneme"])
def test_a_text_only_element_cannot_contain_elements(read, name: str) -> None:
    reason, told = read.refusal(f"<speak><{name}>a <emphasis>b</emphasis></{name}></speak>")
    assert reason == "SSML_INVALID"
    assert told == f"line 1, column {12 + len(name)}: <{name}> must contain only text; move <emphasis> out of it"


def test_comments_and_character_data_are_text(read) -> None:
    assert read.speak('<sub alias="it"><!-- a -->x<![CDATA[<y>]]><?z?></sub>').texts == ["it."]
    assert read.speak('<say-as interpret-as="digits">1<!-- 2 -->3</say-as>').texts == ["1 3."]


def test_interpret_as_is_required_and_another_is_refused_by_name(read) -> None:
    for attribute, shown in (("", "''"), (' interpret-as="vxml:boolean"', "'vxml:boolean'")):
        reason, told = read.refusal(f"<speak><say-as{attribute}>a</say-as></speak>")
        assert reason == "SSML_UNSUPPORTED"
        assert told.startswith(f"{HERE}<say-as>: interpret-as={shown} is not supported; use one of characters, ")


def test_a_say_as_that_is_passed_over_is_text(read) -> None:
    assert read.speak('a <say-as interpret-as="vxml:boolean">true</say-as> b', skips=True).texts == ["a true b."]


# --- 3.1.10: phoneme ---------------------------------------------------------------------------------------------


@pytest.fixture
def english(reader):
    return reader.voice("ann", "en-US", "en-us")


@pytest.mark.parametrize("alphabet", ["", ' alphabet="ipa"'])
def test_a_phoneme_says_its_ph_and_the_alphabet_is_ipa(reader, english, alphabet: str) -> None:
    from phonoscope.server.request.voice_choice import VoiceChoice
    from phonoscope.server.text.ssml.document import read_document

    document = f'<speak>You say <phoneme{alphabet} ph="təˈmɑːtoʊ">tomato</phoneme> here.</speak>'
    script = read_document(document, english, VoiceChoice([english]), skips_unsupported=False)
    assert ("tomato", "təˈmɑːtoʊ") in reader.words_of(document, script)


@pytest.mark.parametrize(
    ("element", "reason", "told"),
    [
        (
            "<phoneme>a</phoneme>",
            "SSML_INVALID",
            "<phoneme> requires the attribute ph with 1 to 200 characters of IPA",
        ),
        (
            '<phoneme ph="">a</phoneme>',
            "SSML_INVALID",
            "<phoneme> requires the attribute ph with 1 to 200 characters of IPA",
        ),
        (
            f'<phoneme ph="{"a" * 201}">a</phoneme>',
            "SSML_INVALID",
            "<phoneme> requires the attribute ph with 1 to 200",
        ),
        ('<phoneme alphabet="x-sampa" ph="a">a</phoneme>', "SSML_UNSUPPORTED", "<phoneme>: alphabet='x-sampa' is not"),
        ('<phoneme ph="t1">a</phoneme>', "SSML_INVALID", "<phoneme>: ph='t1' is not valid: '1' (U+0031, DIGIT ONE)"),
        (
            '<phoneme ph="ʘa">a</phoneme>',
            "SSML_INVALID",
            "<phoneme>: ph='ʘa' is not valid: ann does not support 'ʘ' (U",
        ),
        ('<phoneme ph="ˈ">a</phoneme>', "SSML_INVALID", "<phoneme>: ph='ˈ' is not valid: 'ˈ' contains no vowel"),
        ('<phoneme ph="a" type="x">a</phoneme>', "SSML_UNSUPPORTED", "<phoneme>: the attribute type is not supported"),
    ],
)
def test_a_phoneme_that_cannot_be_said_is_refused(read, element: str, reason: str, told: str) -> None:
    found, description = read.refusal(f"<speak>{element}</speak>")
    assert found == reason
    assert description.startswith(HERE + told)


# --- 3.1.11: sub -------------------------------------------------------------------------------------------------


def test_an_alias_is_said_for_what_is_written(read) -> None:
    said = read.speak('The <sub alias="World Wide Web Consortium">W3C</sub>.')
    assert said.texts == ["The World Wide Web Consortium."]
    assert said.written("Wide") == "W3C"


def test_an_alias_is_required(read) -> None:
    for element in ("<sub>W3C</sub>", '<sub alias=" ">W3C</sub>'):
        reason, told = read.refusal(f"<speak>{element}</speak>")
        assert (reason, told) == ("SSML_INVALID", f"{HERE}<sub> has no attribute alias; set it to the text to speak")


def test_what_an_alias_stands_for_may_be_empty(read) -> None:
    assert read.speak('a <sub alias="b"/> c').texts == ["a b c."]


# --- 3.1.12 and 3.1.13: lang and onlangfailure ------------------------------------------------------------------


def test_a_lang_without_a_language_is_refused(read) -> None:
    reason, told = read.refusal("<speak><lang>a</lang></speak>")
    assert reason == "SSML_INVALID"
    assert told.startswith(f"{HERE}<lang> has no xml:lang")


@pytest.mark.parametrize(("value", "texts"), [("ignoretext", ["One  two."]), ("ignorelang", ["One um two."])])
@pytest.mark.parametrize("element", ["p", "s", "lang", "w"])
def test_a_document_says_what_to_do_where_nobody_speaks_a_language(
    read, value: str, texts: list[str], element: str
) -> None:
    said = read.speak(f'One <{element} xml:lang="pt" onlangfailure="{value}">um</{element}> two.')
    assert "".join(said.texts).replace(".", "").split() == texts[0].replace(".", "").split()
    assert set(said.speakers) == {""}


def test_that_value_is_inherited_and_the_innermost_counts(read) -> None:
    document = '<speak onlangfailure="ignoretext">{}</speak>'
    assert read(document.format('a <emphasis><lang xml:lang="pt">um</lang></emphasis> b')).texts == ["a  b."]
    inner = 'a <lang xml:lang="pt" onlangfailure="ignorelang">um</lang> b'
    assert read(document.format(inner)).texts == ["a um b."]
    within = '<p onlangfailure="ignorelang">a <s><lang xml:lang="pt">um</lang></s></p><lang xml:lang="pt">dois</lang>'
    assert [text.strip(" .") for text in read(document.format(within)).texts] == ["a", "um"]


@pytest.mark.parametrize("value", ["changevoice", "processorchoice"])
def test_the_other_values_refuse_what_nobody_can_speak(read, value: str) -> None:
    document = f'<speak><lang xml:lang="pt" onlangfailure="{value}">um</lang></speak>'
    assert read.refusal(document)[0] == "LANGUAGE_UNKNOWN"
    assert read(document.replace('"pt"', '"de"')).speakers == ["eva:0"]


def test_an_unknown_value_is_refused_with_the_known_ones(read) -> None:
    reason, told = read.refusal('<speak><p onlangfailure="shout">a</p></speak>')
    assert reason == "SSML_INVALID"
    assert told == (
        f"{HERE}<p>: onlangfailure='shout' is not valid; use one of changevoice, ignoretext, ignorelang, "
        "processorchoice"
    )


def test_within_text_that_is_ignored_nobody_is_looked_for(read) -> None:
    said = read.speak(
        'a <lang xml:lang="pt" onlangfailure="ignoretext">um <voice name="x">y</voice> <s xml:lang="xx">z</s></lang>'
    )
    assert said.texts == ["a ."]


# --- 3.2.1: voice ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "speaker"),
    [
        ("eva", "eva:0"),
        ("zoe max eva ann", "eva:0"),
        ("choir:bob", "choir:1"),
        ("choir", "choir:0"),
        ("zoe choir:1", "choir:1"),
    ],
)
def test_the_first_voice_of_a_list_that_is_loaded_speaks(read, names: str, speaker: str) -> None:
    assert read.speak(f'<voice name="{names}">Hello.</voice>').speakers == [speaker]


def test_a_voice_speaks_its_element_and_then_the_one_before(read) -> None:
    said = read.speak('One <voice name="eva">zwei <voice name="luc">trois</voice> vier</voice> five.')
    assert said.speakers == ["", "eva:0", "luc:0", "eva:0", ""]
    assert [text.strip(" ,.") for text in said.texts] == ["One", "zwei", "trois", "vier", "five"]


def test_a_voice_may_be_asked_for_by_languages_of_which_the_first_counts(read) -> None:
    assert read.speak('<voice languages="fr-FR:fr en">Salut.</voice>').speakers == ["luc:0"]
    assert read.speak('<voice languages="en">Hello.</voice>').speakers == [""]


def test_a_name_goes_before_languages(read) -> None:
    assert read.speak('<voice name="eva" languages="fr">Hallo.</voice>').speakers == ["eva:0"]


@pytest.mark.parametrize(
    ("element", "reason", "told"),
    [
        ('<voice name="zoe max">a</voice>', "VOICE_UNKNOWN", "'max' is not loaded; use one of ann, eva, luc, choir"),
        ('<voice name="choir:zoe">a</voice>', "SPEAKER_UNKNOWN", "choir has no speaker 'zoe'"),
        ('<voice languages="pt">a</voice>', "LANGUAGE_UNKNOWN", "no loaded voice supports 'pt'"),
        ("<voice>a</voice>", "SSML_INVALID", "<voice> has neither name nor languages; add one of them"),
        ('<voice name="  ">a</voice>', "SSML_INVALID", "<voice> has neither name nor languages; add one of them"),
        ('<voice gender="female">a</voice>', "SSML_UNSUPPORTED", "<voice>: the attribute gender is not supported"),
        ('<voice name="eva" required="name">a</voice>', "SSML_UNSUPPORTED", "<voice>: the attribute required"),
    ],
)
def test_a_voice_that_is_not_there_is_refused(read, element: str, reason: str, told: str) -> None:
    found, description = read.refusal(f"<speak>{element}</speak>")
    assert found == reason
    assert description.startswith(HERE + told)


def test_a_voice_leaves_the_manner_as_it_is(read) -> None:
    said = read.speak('<prosody pitch="high">One <voice name="eva">zwei</voice></prosody>')
    assert said.prosody("zwei") == Prosody(pitch=PITCHES["high"])


# --- 3.2.2: emphasis ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", EMPHASES)
def test_levels_of_emphasis(read, level: str) -> None:
    assert read.speak(f'a <emphasis level="{level}">big</emphasis> dog').prosody("big") == EMPHASES[level]


def test_the_default_level_is_moderate_and_none_is_as_if_it_were_not_there(read) -> None:
    assert read.speak("<emphasis>big</emphasis>").prosody("big") == EMPHASES["moderate"]
    assert read.speak('<emphasis level="none">big</emphasis>').runs == []


def test_the_levels_differ_in_their_order() -> None:
    rates = [EMPHASES[level].rate for level in ("strong", "moderate", "none", "reduced")]
    gains = [EMPHASES[level].gain_db for level in ("strong", "moderate", "none", "reduced")]
    assert rates == sorted(rates)
    assert gains == sorted(gains, reverse=True)


def test_another_level_is_refused(read) -> None:
    reason, told = read.refusal('<speak><emphasis level="loud">a</emphasis></speak>')
    assert (reason, told) == (
        "SSML_INVALID",
        f"{HERE}<emphasis>: level='loud' is not valid; use one of strong, moderate, none, reduced",
    )


# --- 3.2.3: break ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [one for one in STRENGTHS_SECONDS if one != "none"])
def test_a_stronger_break_is_longer(read, strength: str) -> None:
    said = read.speak(f'One <break strength="{strength}"/> two.')
    assert said.texts == ["One ,", " two."] or [text.strip(" ,.") for text in said.texts] == ["One", "two"]
    assert said.pauses == [0.0, STRENGTHS_SECONDS[strength], 0.0]


def test_strengths_ascend_from_none() -> None:
    assert [*STRENGTHS_SECONDS] == ["none", "x-weak", "weak", "medium", "strong", "x-strong"]
    assert [*STRENGTHS_SECONDS.values()] == sorted(set(STRENGTHS_SECONDS.values()))


def test_the_default_break_is_a_medium_one(read) -> None:
    assert read.speak("One <break/> two").pauses == read.speak('One <break strength="medium"/> two').pauses


@pytest.mark.parametrize(
    ("time", "seconds"),
    [("500ms", 0.5), ("1.5s", 1.5), ("2s", 2.0), ("+1s", 1.0), (".25s", 0.25), (" 1s ", 1.0), ("10s", 10)],
)
def test_a_time_is_that_of_css_and_goes_before_a_strength(read, time: str, seconds: float) -> None:
    assert read.speak(f'One <break time="{time}"/> two').pauses == [0.0, seconds, 0.0]
    assert read.speak(f'One <break strength="x-weak" time="{time}"/> two').pauses == [0.0, seconds, 0.0]


@pytest.mark.parametrize("attribute", ['strength="none"', 'time="0s"', 'time="0ms" strength="strong"'])
def test_no_break_parts_nothing(read, attribute: str) -> None:
    said = read.speak(f"One <break {attribute}/>two.")
    assert (said.texts, said.pauses) == (["One two."], [0.0, 0.0])


def test_breaks_add_up_and_stand_at_both_ends(read) -> None:
    said = read.speak('<break time="1s"/>One<break time="1s"/> <break time="2s"/>two<break time="500ms"/>')
    assert said.pauses == [1.0, 3.0, 0.5]


def test_a_break_before_a_paragraph_comes_on_top(read) -> None:
    assert read.speak('<p>One</p><break time="1s"/><p>Two</p>').pauses == [0.0, 1.4, 0.0]


@pytest.mark.parametrize(
    ("element", "told"),
    [
        ('<break time="1"/>', "<break>: time='1' is not valid; use a duration such as 500ms or 1.5s"),
        ('<break time="-1s"/>', "<break>: time='-1s' is not valid; use a duration"),
        ('<break time="1 s"/>', "<break>: time='1 s' is not valid; use a duration"),
        ('<break time="1m"/>', "<break>: time='1m' is not valid; use a duration"),
        ('<break time="10.01s"/>', "<break>: time='10.01s' is not valid; use at most 10s"),
        ('<break strength="long"/>', "<break>: strength='long' is not valid; use one of none, x-weak, weak"),
        ("<break>a</break>", "<break> must be empty; write <break/>"),
        ("<break><s/></break>", "<break> must be empty; move <s> out of it"),
    ],
)
def test_breaks_that_cannot_be_read_are_refused(read, element: str, told: str) -> None:
    reason, description = read.refusal(f"<speak>{element}</speak>")
    assert reason == "SSML_INVALID"
    assert told in description


def test_breaks_may_hold_space(read) -> None:
    assert read.speak("One<break> <!-- no --> </break>two").pauses == [0.0, 0.4, 0.0]


def test_all_pauses_together_are_bounded(read) -> None:
    assert read.speak('a<break time="10s"/>' * 30).script.silence_seconds == 300
    reason, told = read.refusal("<speak>" + 'a<break time="10s"/>' * 31 + "</speak>")
    assert reason == "SSML_INVALID"
    assert told.endswith("the pauses add up to more than 300 s; split the document")


# --- 3.2.4: prosody ----------------------------------------------------------------------------------------------


def manner(read, *attributes: str) -> Prosody:
    """What prosody elements, each within the one before, make of a word."""
    opened = "".join(f"<prosody {one}>" for one in attributes)
    return read.speak(f"a {opened}word{'</prosody>' * len(attributes)} b").prosody("word")


@pytest.mark.parametrize("label", RATES)
def test_labels_of_rate(read, label: str) -> None:
    assert manner(read, f'rate="{label}"') == Prosody(rate=RATES[label])


@pytest.mark.parametrize("label", PITCHES)
def test_labels_of_pitch(read, label: str) -> None:
    assert manner(read, f'pitch="{label}"') == Prosody(pitch=PITCHES[label])


@pytest.mark.parametrize("label", VOLUMES_DB)
def test_labels_of_volume(read, label: str) -> None:
    assert manner(read, f'volume="{label}"') == Prosody(gain_db=VOLUMES_DB[label])


def test_labels_are_in_monotonic_order_and_default_is_the_middle_one() -> None:
    for labels in (RATES, PITCHES, VOLUMES_DB):
        values = [value for label, value in labels.items() if label != "default"]
        assert values == sorted(set(values))
        assert labels["default"] == labels["medium"]
    assert VOLUMES_DB["silent"] == -math.inf


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (['rate="80%"'], Prosody(rate=0.8)),
        (['rate="200%"'], Prosody(rate=2.0)),
        (['rate="1.5"'], Prosody(rate=1.5)),
        (['rate="+10%"'], Prosody(rate=1.1)),
        (['rate="-50%"'], Prosody(rate=0.5)),
        (['pitch="+20%"'], Prosody(pitch=1.2)),
        (['pitch="-12st"'], Prosody(pitch=0.5)),
        (['pitch="+12st"'], Prosody(pitch=2.0)),
        (['pitch="120Hz"'], Prosody(pitch=0.0, pitch_hz=120.0)),
        (['pitch="20Hz"'], Prosody(pitch=0.0, pitch_hz=20.0)),
        (['pitch="1000Hz"'], Prosody(pitch=0.0, pitch_hz=1000.0)),
        (['pitch="+15.5Hz"'], Prosody(pitch_hz=15.5)),
        (['pitch="-15Hz"'], Prosody(pitch_hz=-15.0)),
        (['pitch="+0Hz"'], NEUTRAL),
        (['volume="+6dB"'], Prosody(gain_db=6.0)),
        (['volume="-6.5dB"'], Prosody(gain_db=-6.5)),
        (['rate="slow" pitch="+12st" volume="soft"'], Prosody(rate=0.75, pitch=2.0, gain_db=-6.0)),
        (['rate="slow"', 'pitch="low"'], Prosody(rate=0.75, pitch=0.85)),
        # labels and plain percentages are absolute, whatever is around them
        (['rate="slow"', 'rate="fast"'], Prosody(rate=RATES["fast"])),
        (['rate="slow"', 'rate="80%"'], Prosody(rate=0.8)),
        (['rate="slow"', 'rate="default"'], NEUTRAL),
        (['pitch="high"', 'pitch="medium"'], NEUTRAL),
        (['pitch="high"', 'pitch="150Hz"'], Prosody(pitch=0.0, pitch_hz=150.0)),
        (['pitch="150Hz"', 'pitch="high"'], Prosody(pitch=1.2)),
        (['volume="silent"', 'volume="loud"'], Prosody(gain_db=4.0)),
        # what is signed is relative to what is around it
        (['rate="50%"', 'rate="+50%"'], Prosody(rate=0.75)),
        (['rate="slow"', 'rate="-20%"'], Prosody(rate=0.6)),
        (['pitch="+6st"', 'pitch="+6st"'], Prosody(pitch=2.0)),
        (['pitch="high"', 'pitch="-50%"'], Prosody(pitch=0.6)),
        (['pitch="150Hz"', 'pitch="-20%"'], Prosody(pitch=0.0, pitch_hz=120.0)),
        (['pitch="150Hz"', 'pitch="+12st"'], Prosody(pitch=0.0, pitch_hz=300.0)),
        (['pitch="150Hz"', 'pitch="+10Hz"'], Prosody(pitch=0.0, pitch_hz=160.0)),
        (['pitch="high"', 'pitch="+10Hz"', 'pitch="+50%"'], Prosody(pitch=1.8, pitch_hz=15.0)),
        (['volume="soft"', 'volume="+2dB"', 'volume="+1dB"'], Prosody(gain_db=-3.0)),
        (['volume="silent"', 'volume="+6dB"'], Prosody(gain_db=-math.inf)),
        (['volume="+10dB"', 'volume="+10dB"'], Prosody(gain_db=16.0)),
    ],
)
def test_values_of_prosody_and_how_they_nest(read, attributes: list[str], expected: Prosody) -> None:
    found = manner(read, *attributes)
    assert (found.rate, found.pitch) == pytest.approx((expected.rate, expected.pitch))
    assert found.pitch_hz == pytest.approx(expected.pitch_hz)
    assert found.gain_db == expected.gain_db


def test_emphasis_is_relative_to_the_prosody_around_it(read) -> None:
    said = read.speak('<prosody rate="slow" volume="soft">a <emphasis level="strong">word</emphasis></prosody>')
    assert said.prosody("word") == Prosody(rate=0.75 * 0.85, pitch=1.12, gain_db=-3.0)
    assert said.prosody("a") == Prosody(rate=0.75, gain_db=-6.0)
    high = read.speak('<prosody pitch="100Hz">a <emphasis level="strong">word</emphasis></prosody>').prosody("word")
    assert (high.pitch, high.pitch_hz) == (0.0, pytest.approx(112.0))


@pytest.mark.parametrize(
    ("attribute", "told"),
    [
        ('rate="quick"', "<prosody>: rate='quick' is not valid; use one of x-slow, slow"),
        ('rate="10%"', "<prosody>: rate='10%' is not valid; use 25% to 400% of the default rate"),
        ('rate="401%"', "<prosody>: rate='401%' is not valid; use 25%"),
        ('rate="-100%"', "<prosody>: rate='-100%' is not valid; use 25%"),
        ('rate="nan%"', "<prosody>: rate='nan%' is not valid; use one of"),
        ('rate="1e1"', "<prosody>: rate='1e1' is not valid; use one of"),
        ('pitch="120hz"', "<prosody>: pitch='120hz' is not valid; use one of x-low"),
        ('pitch="19Hz"', "<prosody>: pitch='19Hz' is not valid; use 20Hz to 1000Hz"),
        ('pitch="1001Hz"', "<prosody>: pitch='1001Hz' is not valid; use 20Hz to 1000Hz"),
        ('pitch="-1001Hz"', "<prosody>: pitch='-1001Hz' is not valid; use -1000Hz to 1000Hz"),
        ('pitch="120%"', "<prosody>: pitch='120%' is not valid; use one of x-low"),
        ('pitch="+13st"', "<prosody>: pitch='+13st' is not valid; use a pitch within one octave"),
        ('pitch="-51%"', "<prosody>: pitch='-51%' is not valid; use a pitch"),
        ('volume="80"', "<prosody>: volume='80' is not valid; use one of silent"),
        ('volume="6dB"', "<prosody>: volume='6dB' is not valid; use one of silent"),
        ('volume="+17dB"', "<prosody>: volume='+17dB' is not valid; use -96dB to +16dB"),
        ('volume="-97dB"', "<prosody>: volume='-97dB' is not valid; use -96dB"),
    ],
)
def test_values_that_cannot_be_read_are_refused(read, attribute: str, told: str) -> None:
    reason, description = read.refusal(f"<speak><prosody {attribute}>a</prosody></speak>")
    assert reason == "SSML_INVALID"
    assert description.startswith(HERE + told)


@pytest.mark.parametrize("attribute", ["contour", "range", "duration"])
def test_unsupported_attributes_are_refused_by_name_or_ignored(read, attribute: str) -> None:
    document = f'<speak><prosody {attribute}="1s" rate="slow">word</prosody></speak>'
    reason, told = read.refusal(document)
    assert (reason, told) == (
        "SSML_UNSUPPORTED",
        f"{HERE}<prosody>: the attribute {attribute} is not supported; remove it, or use one of rate, pitch, volume",
    )
    assert read(document, skips=True).prosody("word") == Prosody(rate=0.75)


def test_a_prosody_that_asks_for_nothing_changes_nothing(read) -> None:
    assert read.speak('<prosody rate="">word</prosody> <prosody>word</prosody>').runs == []


# --- 3.3.2: mark -------------------------------------------------------------------------------------------------


def test_marks_stand_between_characters_and_are_empty(read) -> None:
    said = read.speak('One <mark name="here"/>two<mark name="there"></mark>.')
    (passage,) = said.script.passages
    assert said.texts == ["One two."]
    assert [(passage.text[: mark.at], mark.name) for mark in passage.marks] == [("One ", "here"), ("One two", "there")]


@pytest.mark.parametrize(
    ("element", "told"),
    [
        ("<mark/>", "<mark> requires the attribute name with 1 to 128 characters"),
        ('<mark name=""/>', "<mark> requires the attribute name"),
        (f'<mark name="{"x" * 129}"/>', "<mark> requires the attribute name"),
        ('<mark name="a">b</mark>', "<mark> must be empty; write <mark/>"),
        ('<mark name="a"><mark name="b"/></mark>', "<mark> must be empty; move <mark> out of it"),
    ],
)
def test_marks_that_cannot_be_are_refused(read, element: str, told: str) -> None:
    reason, description = read.refusal(f"<speak>{element}</speak>")
    assert reason == "SSML_INVALID"
    assert told in description


# --- what is not served: 3.1.4 lexicon, 3.1.5 meta, 3.1.6 metadata, 3.3.1 audio, 3.3.3 desc ----------------------


@pytest.mark.parametrize(
    "element",
    [
        '<lexicon uri="http://example.org/a.pls" xml:id="a"/>',
        '<lookup ref="a">b</lookup>',
        '<meta name="seeAlso" content="a"/>',
        "<metadata><x/></metadata>",
        '<audio src="a.wav">b</audio>',
        "<desc>b</desc>",
        "<lexicon><break/></lexicon>",
        '<x:y xmlns:x="urn:x">b</x:y>',
    ],
)
def test_unsupported_elements_are_refused_by_name(read, element: str) -> None:
    reason, told = read.refusal(f"<speak>\n  {element}</speak>")
    name = element[1:].split("/", maxsplit=1)[0].split(">", maxsplit=1)[0].split(" ", maxsplit=1)[0]
    assert reason == "SSML_UNSUPPORTED"
    assert told.startswith(f"line 2, column 3: <{name}> is not supported; remove it, or use one of speak, p, s, break")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('<audio src="a.wav">said <emphasis>instead</emphasis></audio>', "said instead."),
        ('<audio src="a.wav"><desc>a bell</desc>ding</audio>', "ding."),
        ('a <metadata><r:d xmlns:r="urn:r">unheard <emphasis>too</emphasis></r:d></metadata> b', "a  b."),
        ('<meta name="a" content="b"/>heard', "heard."),
        ('<lookup ref="a">heard</lookup>', "heard."),
        ('<x:y xmlns:x="urn:x" x:z="1">heard</x:y>', "heard."),
        ('<metadata><voice name="nobody">a</voice><prosody rate="bad">b</prosody></metadata>heard', "heard."),
        ('<metadata><sub>no alias</sub><mark name="no"/><say-as>x</say-as></metadata>heard', "heard."),
        ('<emphasis made="up">heard</emphasis>', "heard."),
    ],
)
def test_where_they_are_passed_over_what_they_hold_is_spoken_if_it_is_for_the_ear(
    read, content: str, text: str
) -> None:
    said = read.speak(content, skips=True)
    assert said.texts == [text]
    assert said.script.passages[0].marks == ()


def test_what_is_passed_over_leaves_the_manner_around_it(read) -> None:
    said = read.speak('<prosody rate="slow"><audio src="x">word</audio></prosody>', skips=True)
    assert said.prosody("word") == Prosody(rate=0.75)


def test_the_root_is_never_passed_over(read) -> None:
    reason, told = read.refusal("<book>a</book>", skips=True)
    assert (reason, told.partition(";")[0]) == ("SSML_INVALID", "line 1, column 1: the root element is <book>")


# --- text: XML 1.0, sections 2.4 to 2.11 -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("Tom &amp; Jerry &lt;3", "Tom & Jerry <3."),
        ("&quot;Caf&#233;&#x21;&quot;", '"Café!"'),
        ("one<![CDATA[ <two> & ]]>three", "one <two> & three."),
        ("one <!-- two -->three", "one three."),
        ("one <?two three?>four", "one four."),
        ("one\ntwo\r\nthree\tfour", "one two three four."),
        ("one\n\n\ntwo", "one   two."),
        ("o<emphasis level='none'>n</emphasis>e", "one."),
    ],
)
def test_text_is_what_xml_makes_of_it_and_line_ends_are_spaces(read, content: str, text: str) -> None:
    said = read.speak(content)
    assert said.texts == [text]


@pytest.mark.parametrize(
    ("content", "word", "written"),
    [
        ("one &amp; two", "&", "&amp;"),
        ("one &amp; two", "two", "two"),
        ("caf&#233; two", "café", "caf&#233;"),
        ("x\r\none", "one", "one"),
        ("x<![CDATA[ one]]> two", "one", "one"),
        ("é <!-- 😀 -->one", "one", "one"),
        ('<sub alias="a b">x &amp; y</sub> one', "a b", "x &amp; y"),
        ('<sub alias="a b">x &amp; y</sub> one', "one", "one"),
        ('<say-as interpret-as="ordinal">3rd</say-as> one', "third", "3rd"),
        ('<say-as interpret-as="digits">42</say-as> one', "2", "2"),
        ('<say-as interpret-as="date" format="md">5/6</say-as> one', "sixth", "5/6"),
        ('😀😀 <prosody rate="slow">one</prosody>', "one", "one"),
    ],
)
def test_every_word_knows_where_it_is_written(read, content: str, word: str, written: str) -> None:
    assert read.speak(content).written(word) == written
