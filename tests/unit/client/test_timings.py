"""Timings add up, and are true where there are any."""

import pytest

from phonoscope.client import MarkTiming, PhonemeTiming, Timings, VisemeTiming, WordTiming

WORD = WordTiming("a", 0.0, 0.5, (0, 1))
PHONEME = PhonemeTiming("ə", 0.0, 0.5)
VISEME = VisemeTiming("aa", 0.0, 0.5)
MARK = MarkTiming("m", 0.5)


def test_those_of_two_chunks_add_up_in_order():
    later = WordTiming("b", 0.5, 1.0, (2, 3))
    both = Timings((WORD,), (PHONEME,), (VISEME,), (MARK,)) + Timings(words=(later,), marks=(MARK,))
    assert both == Timings((WORD, later), (PHONEME,), (VISEME,), (MARK, MARK))


@pytest.mark.parametrize(
    "some", [{"words": (WORD,)}, {"phonemes": (PHONEME,)}, {"visemes": (VISEME,)}, {"marks": (MARK,)}]
)
def test_any_kind_makes_them_true(some):
    assert Timings(**some)
    assert not Timings()
