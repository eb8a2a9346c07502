"""Masks: which positions are real, at every rate and in every tile."""

import pytest
import torch

from phonoscope.server.engines.mask import DeviceMask, SpanMask, masked

MASK = SpanMask(((0, 3), (2, 5)), 5)


def test_without_padding_there_is_no_mask():
    assert SpanMask.of([(0, 4), (0, 4)], 4) is None
    assert SpanMask.of([(0, 4), (0, 3)], 4) == SpanMask(((0, 4), (0, 3)), 4)


def test_padding_becomes_zero_in_place_and_the_rest_stays():
    x = torch.ones(2, 3, 1, 5)
    assert masked(x, MASK) is x
    assert x[:, 0, 0].tolist() == [[1, 1, 1, 0, 0], [0, 0, 1, 1, 1]]
    assert x.equal(x[:, :1].expand_as(x))


def test_without_a_mask_nothing_changes():
    x = torch.ones(2, 3, 1, 5)
    assert masked(x, None) is x
    assert x.min() == 1


def test_real_positions_as_a_tensor_agree_with_what_is_cleared():
    cleared = MASK.clear(torch.ones(2, 1, 1, 5))
    assert MASK.real(torch.device("cpu")).equal(cleared.bool())


def test_a_stretched_mask_counts_every_position_several_times():
    assert MASK.stretched(4) == SpanMask(((0, 12), (8, 20)), 20)


@pytest.mark.parametrize(
    ("left", "right", "spans"),
    [(1, 4, ((0, 2), (1, 3))), (0, 2, ((0, 2), (2, 2))), (4, 5, ((0, 0), (0, 1)))],
)
def test_a_cut_mask_is_that_of_the_part(left, right, spans):
    assert MASK.cut(left, right) == SpanMask(spans, right - left)
    whole, part = torch.ones(2, 1, 1, 5), torch.ones(2, 1, 1, right - left)
    assert MASK.clear(whole)[..., left:right].equal(MASK.cut(left, right).clear(part))


def test_a_cut_without_padding_needs_no_mask():
    assert MASK.cut(2, 3) is None


def test_on_a_device_a_mask_says_the_same():
    there = DeviceMask(torch.tensor([0, 2]), torch.tensor([3, 5]), 5)
    device = torch.device("cpu")
    assert there.real(device).equal(MASK.real(device))
    assert there.clear(torch.ones(2, 3, 1, 5)).equal(MASK.clear(torch.ones(2, 3, 1, 5)))
    assert there.stretched(4).real(device).equal(MASK.stretched(4).real(device))
    for left, right in [(1, 4), (0, 2), (4, 5)]:
        part = MASK.cut(left, right)
        assert there.cut(left, right).real(device).equal(part.real(device))
    assert there.cut(2, 3).stretched(2).real(device).all()


def test_on_a_device_a_row_may_be_nothing_but_padding():
    there = DeviceMask(torch.tensor([0, 0]), torch.tensor([2, 0]), 2)
    assert there.clear(torch.ones(2, 1, 1, 2)).flatten().tolist() == [1, 1, 0, 0]
