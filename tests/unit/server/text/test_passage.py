"""Passages know where each of their characters was written, and scripts what is in all of them."""

from phonoscope.server.emotions import Prosody
from phonoscope.server.text.passage import Manner, Override, Passage, Script, covering

SLOW = Prosody(rate=0.5)
LOUD = Prosody(gain_db=6.0)


def test_plain_text_is_where_it_is() -> None:
    assert Passage("one two").source(4, 7) == (4, 7)
    assert Passage.at(10, "one two").source(4, 7) == (14, 17)
    assert Passage("one").is_plain


def test_ranges_are_found_by_what_they_cover() -> None:
    ranges = [Override(2, 4, "a"), Override(4, 6, "b"), Override(8, 9, "c")]
    found = [
        covering(ranges, start, stop) for start, stop in ((0, 2), (0, 3), (3, 5), (4, 5), (6, 8), (7, 20), (9, 10))
    ]
    assert [one and one.ipa for one in found] == [None, "a", "a", "b", None, "c", None]


def test_a_script_counts_what_is_slow_and_sums_its_pauses() -> None:
    passages = (Passage("0123456789", manners=(Manner(0, 4, SLOW),), pause_seconds=1.5), Passage("ab"))
    script = Script(passages, pause_seconds=0.5)
    assert (script.characters, script.slowed_characters, script.silence_seconds) == (12, 16.0, 2.0)


def test_a_script_tells_of_another_pitch_and_of_a_greater_loudness() -> None:
    def script(prosody: Prosody) -> Script:
        return Script((Passage("ab", manners=(Manner(0, 2, prosody),)),))

    high, at_150_hz = Prosody(pitch=1.2), Prosody(pitch_hz=150.0)
    assert [script(one).has_pitch for one in (high, at_150_hz, LOUD)] == [True, True, False]
    assert [script(one).has_hertz for one in (high, at_150_hz, LOUD)] == [False, True, False]
    assert [script(one).is_louder for one in (LOUD, Prosody(gain_db=-6.0), Prosody(pitch=2.0))] == [True, False, False]
