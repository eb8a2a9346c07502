"""What the maker states about each voice."""

from collections import Counter

import pytest

from phonoscope.server.engines.kokoro.languages import language_of
from phonoscope.server.engines.kokoro.published_voices import GRADES, gender_of


def test_all_voices_but_the_spanish_and_portuguese_ones_have_a_grade():
    letters = Counter(name[0] for name in GRADES)
    assert letters == {"a": 20, "b": 8, "f": 1, "h": 4, "i": 2, "j": 5, "z": 8}
    assert all(language_of(name) is not None and gender_of(name) for name in GRADES)


@pytest.mark.parametrize(
    ("name", "gender", "grade"),
    [("af_heart", "female", "A"), ("am_adam", "male", "F+"), ("zf_xiaoxiao", "female", "D"), ("pm_santa", "male", "")],
)
def test_a_voice_has_the_gender_of_its_name_and_the_grade_of_the_list(name, gender, grade):
    assert (gender_of(name), GRADES.get(name, "")) == (gender, grade)


@pytest.mark.parametrize("name", ["", "a", "ax_nobody"])
def test_a_name_that_does_not_say_has_no_gender(name):
    assert gender_of(name) == ""
