"""The small layers against their definitions."""

import torch
from torch.nn import functional as F  # noqa: N812  the usual name

from phonoscope.server.engines.kokoro.layers import AdaInstanceNorm, Given, StyledBlock, by_channel, by_position, snake
from phonoscope.server.engines.kokoro.moments import OwnMoments


def test_instance_norms_average_over_time():
    norm = AdaInstanceNorm(4, 3)
    x, style = torch.randn(1, 3, 1, 50), torch.randn(1, 4)
    scale, shift = norm.fc(style)[0, :, None].chunk(2)
    expected = (1 + scale) * F.instance_norm(x[:, :, 0])[0] + shift
    torch.testing.assert_close(norm(x, Given(style, OwnMoments()))[0, :, 0], expected)


def test_snake_is_a_line_with_a_ripple():
    x, alpha = torch.randn(1, 3, 1, 9), torch.rand(1, 3, 1) + 0.5
    factor, offset = torch.rand(1, 3, 1, 1), torch.rand(1, 3, 1, 1)
    z = factor * x + offset
    expected = z + torch.sin(alpha[..., None] * z) ** 2 / alpha[..., None]
    torch.testing.assert_close(snake(x, factor, offset, alpha), expected)


def test_a_block_that_doubles_makes_twice_the_points():
    block = StyledBlock(6, 4, 2, doubles=True)
    assert block(torch.randn(1, 6, 1, 7), Given(torch.randn(1, 2), OwnMoments())).shape == (1, 4, 1, 14)


def test_views_of_a_sequence_invert_each_other():
    x = torch.randn(1, 5, 3)
    assert torch.equal(by_position(by_channel(x)), x)
    assert by_channel(x).is_contiguous(memory_format=torch.channels_last)
