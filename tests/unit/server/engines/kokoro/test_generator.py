"""Long sequences are computed in pieces, with the results of the whole."""

import pytest
import torch

from phonoscope.server.engines.kokoro import generator
from phonoscope.server.engines.kokoro.generator import ResidualBlock
from phonoscope.server.engines.kokoro.layers import Given
from phonoscope.server.engines.kokoro.moments import OwnMoments


@pytest.fixture
def block():
    made = ResidualBlock(4, 7, (1, 3, 5), 2).requires_grad_(requires_grad=False)
    for parameter in [*made.alpha1, *made.alpha2]:
        parameter.fill_(0.7)
    return made


@pytest.mark.parametrize("length", [50, 130, 131, 600])
def test_pieces_make_the_whole(block, length, monkeypatch):
    x, given = torch.randn(1, 4, 1, length), Given(torch.randn(1, 2), OwnMoments())
    whole = block(x, given)
    monkeypatch.setattr(generator, "PIECE_VALUES", 4 * 64)
    torch.testing.assert_close(block(x, given), whole, rtol=1e-4, atol=1e-4)


def test_the_input_stays_as_it_is(block):
    x = torch.randn(1, 4, 1, 60)
    kept = x.clone()
    block(x, Given(torch.randn(1, 2), OwnMoments()))
    assert torch.equal(x, kept)


@pytest.mark.parametrize(("length", "piece", "reach"), [(10, 64, 3), (1000, 64, 3), (129, 64, 15), (131, 64, 15)])
def test_pieces_keep_each_position_once_with_its_context(length, piece, reach):
    kept = []
    pieces = list(generator._pieces(length, piece, reach))
    for one in pieces:
        kept += range(one.start, one.stop)
        assert one.left == 0 or one.start - one.left >= reach
        assert one.right == length or one.right - one.stop >= reach
    assert kept == list(range(length))
    assert len({one.right - one.left for one in pieces}) == 1


def test_its_reach_is_as_far_as_it_reads(block):
    x, given = torch.zeros(1, 4, 1, 201), Given(torch.zeros(1, 2), Fixed())
    moved = x.clone()
    moved[..., 100] = 1
    changed = (block(moved, given) - block(x, given)).abs().sum(dim=(0, 1, 2)).nonzero().flatten()
    assert (100 - int(changed.min()), int(changed.max()) - 100) == (block.reach, block.reach)


class Fixed:
    """Moments that do not depend on the sequence."""

    def of(self, x, mask):
        return torch.zeros(1, 4, 1, 1), torch.ones(1, 4, 1, 1)
