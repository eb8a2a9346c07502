"""What say-as makes of its content, in several languages, and how it refuses what is not of its kind."""

import pytest

from phonoscope.server.text.ssml.say_as import DATE_FORMATS, READINGS, Piece, say_as


def said(kind: str, content: str, language: str = "en-US", form: str = "") -> str:
    return "".join(piece.text for piece in say_as(kind, form, content, language))


def refusal(kind: str, content: str, language: str = "en-US", form: str = "") -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the caller compares the message
        say_as(kind, form, content, language)
    return str(caught.value)


def not_read(kind: str, content: str, language: str = "en-US", form: str = "") -> str:
    with pytest.raises(LookupError) as caught:
        say_as(kind, form, content, language)
    return str(caught.value.args[0])


# --- characters, digits, telephone -------------------------------------------------------------------------------


def test_characters_are_read_one_by_one_each_where_it_is_written() -> None:
    assert say_as("characters", "", "aB 1-€", "en") == [
        Piece("a", 0, 1, alone="a"),
        Piece("B", 1, 2, alone="B"),
        Piece(", ", 3, 3),
        Piece("1", 3, 4, alone="1"),
        Piece(", ", 5, 5),
        Piece("€", 5, 6, alone="€"),
    ]


def test_spell_out_is_another_name_of_characters() -> None:
    assert say_as("spell-out", "", "x y", "de") == say_as("characters", "", "x y", "de")


@pytest.mark.parametrize(
    ("kind", "content", "text"),
    [
        ("characters", "  ab  ", "ab"),
        ("characters", "a -- b", "a, b"),
        ("characters", "é中", "é中"),
        ("digits", "123", "123"),
        ("digits", "12 34-5", "12, 34, 5"),
        ("digits", "1,234", "1, 234"),
        ("digits", "12\u00a034\u201356", "12, 34, 56"),
        ("digits", "٣٤", "٣٤"),
        ("telephone", "+1 (555) 123-4567", "+1, 555, 123, 4567"),
        ("telephone", "0800.FLOWERS", "0800, FLOWERS"),
    ],
)
def test_what_parts_groups_is_a_pause_and_never_at_an_end(kind: str, content: str, text: str) -> None:
    assert said(kind, content) == text


@pytest.mark.parametrize(
    ("kind", "content", "told"),
    [
        ("digits", "1a", "contains 'a'; use only digits, with spaces or dashes between groups"),
        ("digits", "½", "contains '½'; use only digits, with spaces or dashes between groups"),
        ("digits", "(-)", "contains nothing to speak; use digits"),
        ("telephone", "#31", "contains '#'; use only digits, letters and +, with spaces or dashes between groups"),
        ("telephone", "é1", "contains 'é'; use only digits, letters and +"),
        ("telephone", "++", "contains nothing to speak; use digits, letters and +"),
        ("characters", "-- …", "contains nothing to speak; use letters or digits"),
    ],
)
def test_a_character_of_another_kind_is_refused_by_name(kind: str, content: str, told: str) -> None:
    assert refusal(kind, content).startswith(told)


# --- cardinals and ordinals --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("language", "content", "text"),
    [
        ("en-US", "1,234.5", "one thousand two hundred and thirty-four point five"),
        ("en_GB", "-5", "minus five"),
        ("EN", "−5", "minus five"),
        ("de-DE", "1.234,5", "eintausendzweihundertvierunddreißig Komma fünf"),
        ("de-DE", "21", "einundzwanzig"),
        ("fr-FR", "1\u202f234", "mille deux cent trente-quatre"),
        ("es-ES", "21", "veintiuno"),
        ("es-ES", "-0,5", "menos cero punto cinco"),
        ("en", "１２", "twelve"),
        ("en", " 0 ", "zero"),
    ],
)
def test_a_cardinal_is_written_and_said_as_in_its_language(language: str, content: str, text: str) -> None:
    assert said("cardinal", content, language) == text
    assert said("number", content, language) == text


@pytest.mark.parametrize("language", ["xx", "", "am", "not a tag", "fil-PH"])
def test_a_number_that_has_no_words_is_left_in_figures(language: str) -> None:
    assert said("cardinal", "12", language) == "12"


@pytest.mark.parametrize(
    ("language", "content", "text"),
    [
        ("en", "-0.5", "minus zero point five"),
        ("de", "-0,25", "minus null Komma zwei fünf"),
        ("fr", "-0,5", "moins zéro virgule cinq"),
        ("fr", "-1", "moins un"),
        ("it", "-0,5", "-0.5"),
        ("it", "5,5", "5.5"),
        ("it", "5", "cinque"),
        ("vi", "-5", "-5"),
        ("bn", "-5", "-5"),
    ],
)
def test_no_sign_and_no_fraction_is_lost_that_num2words_loses(language: str, content: str, text: str) -> None:
    assert said("cardinal", content, language) == text


def test_a_number_beyond_what_num2words_knows_is_left_in_figures() -> None:
    assert said("cardinal", "9" * 30, "es") == "9" * 30
    assert said("cardinal", "9" * 30, "de").startswith("neunhundertneunundneunzig Quadrilliarden")


@pytest.mark.parametrize(
    "content",
    ["one", "1e5", "1e999999", "NaN", "Infinity", "-inf", "1 or 2", "-", "½", "--5", "1.2.3", "5%", "0x10", "\x00"],
)
def test_what_is_not_a_number_is_refused(content: str) -> None:
    assert refusal("cardinal", content) == "is not a number; use digits, such as 1234 or -5.5"


def test_numbers_have_at_most_30_digits_wherever_the_point_is() -> None:
    assert said("cardinal", "0." + "1" * 29)
    told = 'has more than 30 digits; use interpret-as="digits"'
    assert refusal("cardinal", "1" * 31) == told
    assert refusal("cardinal", "0." + "1" * 30) == told
    assert said("ordinal", "9" * 30).endswith("ninety-ninth")
    assert refusal("ordinal", "9" * 31) == "is not an ordinal; use a number such as 3 or 3rd"


@pytest.mark.parametrize(
    ("language", "content", "text"),
    [
        ("en", "3", "third"),
        ("en", "22ND", "twenty-second"),
        ("en", "101st", "one hundred and first"),
        ("de", "21.", "einundzwanzigste"),
        ("fr", "1er", "premier"),
        ("fr", "2e", "deuxième"),
        ("es", "3º", "tercero"),
        ("es", "10ª", "décimo"),
    ],
)
def test_an_ordinal_is_said_as_in_its_language(language: str, content: str, text: str) -> None:
    assert said("ordinal", content, language) == text


@pytest.mark.parametrize("content", ["third", "-3", "3.5", "3 rd", "3rdd", "rd", "²"])
def test_what_is_not_an_ordinal_is_refused(content: str) -> None:
    assert refusal("ordinal", content) == "is not an ordinal; use a number such as 3 or 3rd"


@pytest.mark.parametrize(("language", "content"), [("xx", "3"), ("am", "3"), ("", "3"), ("es", "9" * 30)])
def test_an_ordinal_without_words_is_not_read(language: str, content: str) -> None:
    told = f"this ordinal is not supported in {language}; write it in words"
    assert not_read("ordinal", content, language) == told


# --- dates -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("form", "content", "english", "german", "french", "spanish"),
    [
        (
            "mdy",
            "12/31/1999",
            "December thirty-first, nineteen ninety-nine",
            "31. Dezember 1999",
            "31 décembre 1999",
            "31 de diciembre de 1999",
        ),
        (
            "dmy",
            "31.12.1999",
            "December thirty-first, nineteen ninety-nine",
            "31. Dezember 1999",
            "31 décembre 1999",
            "31 de diciembre de 1999",
        ),
        (
            "ymd",
            "2005-01-02",
            "January second, two thousand and five",
            "2. Januar 2005",
            "2 janvier 2005",
            "2 de enero de 2005",
        ),
        ("md", "5/6", "May sixth", "6. Mai", "6 mai", "6 de mayo"),
        ("dm", "5/6", "June fifth", "5. Juni", "5 juin", "5 de junio"),
        ("ym", "1900-03", "March nineteen hundred", "März 1900", "mars 1900", "marzo de 1900"),
        ("my", "3/1900", "March nineteen hundred", "März 1900", "mars 1900", "marzo de 1900"),
        ("y", "1999", "nineteen ninety-nine", "1999", "1999", "1999"),
        ("m", "5", "May", "Mai", "mai", "mayo"),
        ("d", "5", "fifth", "5", "5", "5"),
    ],
)
def test_dates_of_each_format(form: str, content: str, english: str, german: str, french: str, spanish: str) -> None:
    languages = ("en-US", "de-DE", "fr_FR", "es")
    assert [said("date", content, one, form) for one in languages] == [english, german, french, spanish]


def test_every_format_that_a_refusal_names_is_read() -> None:
    numbers = {"y": "2000", "m": "2", "d": "29"}
    for form in DATE_FORMATS:
        assert said("date", "/".join(numbers[part] for part in form), form=form)
    assert refusal("date", "1", form="yd") == f"has the unknown format 'yd'; use one of {', '.join(DATE_FORMATS)}"


def test_a_date_of_iso_8601_needs_no_format_and_any_other_does() -> None:
    assert said("date", " 1999-12-31 ") == said("date", "12/31/1999", form="mdy")
    for content in ("1/2/2003", "1999-1-2", "99-12-31", "1999"):
        assert refusal("date", content) == f"requires the attribute format; use one of {', '.join(DATE_FORMATS)}"


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("yyyymmdd", "1999-12-31"),
        ("yyyymmdd", "19991231"),
        ("ymd", " 19991231 "),
        ("YYYY-MM-DD", "1999-12-31"),
        ("mm/dd/yyyy", "12/31/1999"),
        ("ddmmyy", "311299"),
        ("ydm", "1999/31/12"),
    ],
)
def test_a_format_may_repeat_and_separate_its_letters(form: str, content: str) -> None:
    assert said("date", content, form=form) == "December thirty-first, nineteen ninety-nine"


@pytest.mark.parametrize(
    ("form", "content", "words"),
    [
        ("yyyymmdd", "????1231", "December thirty-first"),
        ("yyyymmdd", "199912??", "December nineteen ninety-nine"),
        ("yyyymmdd", "????12??", "December"),
        ("mdy", "12/?/1999", "December nineteen ninety-nine"),
    ],
)
def test_parts_that_are_not_known_are_left_out(form: str, content: str, words: str) -> None:
    assert said("date", content, form=form) == words


@pytest.mark.parametrize("content", ["????????", "1999??31", "19??1231", "??/?/?"])
def test_what_remains_must_be_a_date(content: str) -> None:
    assert refusal("date", content, form="ymd").startswith("is not a date; write each part in digits, or ?")


def test_a_date_of_another_length_is_not_split() -> None:
    assert refusal("date", "9991231", form="yyyymmdd").startswith("contains 1 numbers")


def test_a_month_by_name_is_read_as_it_is_written() -> None:
    assert said("date", "May 5th, 1999", form="mdy") == "May 5th, 1999"
    assert said("date", "5. Mai", "de") == "5. Mai"


@pytest.mark.parametrize(("year", "century"), [("69", "twenty"), ("70", "nineteen"), ("99", "nineteen")])
def test_a_year_of_two_digits_is_of_this_century_up_to_69(year: str, century: str) -> None:
    assert said("date", year, form="y").startswith(century)
    assert said("date", "00", form="y") == "two thousand"


@pytest.mark.parametrize(
    ("form", "content"),
    [
        ("md", "2/30"),
        ("dmy", "29/2/1999"),
        ("mdy", "13/1/2000"),
        ("m", "0"),
        ("d", "32"),
        ("y", "10000"),
        ("y", "20245"),
        ("d", "9" * 150),
        ("mdy", f"{'1' * 60}/1/2000"),
    ],
)
def test_what_is_in_no_calendar_is_refused(form: str, content: str) -> None:
    told = "is not a calendar date; check that the numbers are in the order of format"
    assert refusal("date", content, form=form) == told


def test_a_leap_day_is_there_where_no_year_says_otherwise() -> None:
    assert said("date", "29/2", form="dm") == "February twenty-ninth"


def test_as_many_numbers_are_wanted_as_the_format_names() -> None:
    assert refusal("date", "1/2", form="dmy") == "contains 2 numbers; format 'dmy' requires 3, separated by - or /"
    assert refusal("date", "1/2/3", form="md") == "contains 3 numbers; format 'md' requires 2, separated by - or /"


def test_a_month_is_named_in_its_language_whatever_was_asked_before() -> None:
    languages = ("zh-CN", "de-DE", "ru-RU", "hi", "it", "pt-BR", "de-DE")
    months = ["五月", "Mai", "май", "मई", "maggio", "maio", "Mai"]
    assert [said("date", "5", one, "m") for one in languages] == months


@pytest.mark.parametrize(("content", "form", "text"), [("2026", "y", "2026年"), ("7", "d", "7日"), ("3", "", "第3")])
def test_chinese_has_signs_for_years_days_and_ordinals(content: str, form: str, text: str) -> None:
    assert said("date" if form else "ordinal", content, "zh-CN", form) == text


@pytest.mark.parametrize("language", ["tlh", "not a tag", "x"])
def test_a_date_is_not_read_in_a_language_without_months(language: str) -> None:
    assert not_read("date", "5", language, "m") == f"dates are not supported in {language}; write the date in words"


# --- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["", "time", "currency", "Cardinal", "date "])
def test_another_kind_is_refused_with_those_that_are_read(kind: str) -> None:
    assert not_read(kind, "1") == f"interpret-as={kind!r} is not supported; use one of {', '.join(READINGS)}"


@pytest.mark.parametrize("kind", READINGS)
def test_content_is_there_and_is_not_too_long(kind: str) -> None:
    assert refusal(kind, " \n") == "is empty; write the text to speak"
    assert refusal(kind, "1" * 201) == "has 201 characters; use at most 200 per element"


@pytest.mark.parametrize("kind", ["characters", "digits", "telephone"])
def test_200_characters_are_read(kind: str) -> None:
    assert said(kind, "1" * 200) == "1" * 200


def test_what_is_said_as_a_whole_stands_for_all_of_the_content() -> None:
    assert say_as("ordinal", "", " 3rd ", "en") == [Piece("third", 0, 5)]
    assert say_as("date", "m", "5", "de") == [Piece("Mai", 0, 1)]
