"""The fake recorder behaves as a graph does: the same operations, on the same tensors, in the same places."""

import pytest
import torch

from phonoscope.server.engines.vits.cuda_graphs import HostRecorder


def test_a_replay_computes_anew_from_what_the_inputs_hold_into_the_same_tensor():
    x = torch.arange(4.0)
    recording = HostRecorder().record(lambda: ((x * 2 + 1).flip(0),))
    [result] = recording.outputs
    place = result.data_ptr()
    x.copy_(torch.tensor([10.0, 20.0, 30.0, 40.0]))
    recording.replay()
    assert result.tolist() == [81.0, 61.0, 41.0, 21.0]
    assert result.data_ptr() == place


def test_what_is_changed_in_place_and_what_is_seen_through_a_view_follow():
    x = torch.ones(2, 3)

    def run():
        y = x.clone()
        y[:, 1:] *= 5
        return (y, y[0])

    recording = HostRecorder().record(run)
    x.fill_(2)
    recording.replay()
    whole, row = recording.outputs
    assert whole.tolist() == [[2, 10, 10], [2, 10, 10]]
    assert row.tolist() == [2, 10, 10]


def test_what_python_decided_stays_decided():
    """So a test with this recorder fails where code looks at a value, as it would on a GPU."""
    x = torch.ones(1)
    recording = HostRecorder().record(lambda: (x * 2,) if x.item() > 0 else (x * 3,))
    x.fill_(-1)
    recording.replay()
    assert recording.outputs[0].tolist() == [-2]


def test_it_can_refuse():
    with pytest.raises(RuntimeError, match="out of memory"):
        HostRecorder(refuses="out of memory").record(lambda: ())
