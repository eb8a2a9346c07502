"""What a Piper voice's JSON says, and what the shape of its network implies."""

import json
import math

import pytest

from phonoscope.server.engines.vits.config import (
    ConvShape,
    DurationShape,
    FlowShape,
    GeneratorShape,
    TextEncoderShape,
    VitsShape,
    read_voice,
)


def voice_json(**changes):
    config = {
        "audio": {"sample_rate": 22050, "quality": "medium"},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.5, "length_scale": 1.2, "noise_w": 0.7},
        "phoneme_type": "espeak",
        "phoneme_id_map": {"_": [0], "^": [1], "$": [2], "a": [3, 4]},
        "num_symbols": 5,
        "num_speakers": 1,
        "speaker_id_map": {},
        "language": {"code": "en_GB"},
    }
    return {name: value for name, value in (config | changes).items() if value is not ...}


@pytest.fixture
def read(tmp_path):
    """Writes a voice's JSON and reads it back as a Voice."""

    def write_and_read(name="en_GB-test-medium", **changes):
        path = tmp_path / f"{name}.onnx.json"
        path.write_text(json.dumps(voice_json(**changes)), encoding="utf-8")
        return read_voice(path)

    return write_and_read


class TestReadVoice:
    def test_everything_is_read(self, read):
        voice = read()
        assert voice.id == "en_GB-test-medium"
        assert voice.engine == "vits"
        assert voice.quality == "medium"
        assert voice.sample_rate_hz == 22050
        assert (voice.length_scale, voice.noise_scale, voice.noise_w_scale) == (1.2, 0.5, 0.7)
        assert voice.phonemes.kind == "espeak"
        assert voice.phonemes.espeak_voice == "en-us"
        assert voice.phonemes.ids["a"] == (3, 4)
        assert voice.speakers == ()
        assert voice.default_speaker == 0

    def test_absent_inference_settings_are_those_of_the_paper(self, read):
        voice = read(inference=...)
        assert (voice.length_scale, voice.noise_scale, voice.noise_w_scale) == (1.0, 0.667, 0.8)

    @pytest.mark.parametrize(
        ("name", "changes", "language"),
        [
            ("anything", {"language": {"code": "pt_BR"}}, "pt-BR"),
            ("en_GB-test-medium", {"language": ...}, "en-GB"),
            ("test", {"language": ..., "espeak": {"voice": "de"}}, "de"),
            ("test", {"language": ..., "espeak": ..., "phoneme_type": "text"}, "und"),
        ],
        ids=["its own code", "the name's head", "espeak's", "none"],
    )
    def test_the_language_comes_from_the_first_place_that_tells(self, read, name, changes, language):
        assert read(name, **changes).language == language

    def test_speakers_are_named_by_number(self, read):
        voice = read(num_speakers=3, speaker_id_map={"zoe": 2, "abe": 0}, default_speaker_id=2)
        assert voice.speakers == ("abe", "1", "zoe")
        assert voice.default_speaker == 2

    def test_the_one_speaker_of_a_voice_has_no_name(self, read):
        assert read(num_speakers=1, speaker_id_map={"joe": 0}).speakers == ()

    def test_text_voices_need_no_espeak(self, read):
        voice = read(phoneme_type="text", espeak=...)
        assert voice.phonemes.kind == "text"
        assert voice.phonemes.espeak_voice == ""


class TestRefusals:
    def test_a_missing_file_names_the_pair(self, tmp_path, refused):
        path = tmp_path / "nobody.onnx.json"
        assert "pair of files" in refused(lambda: read_voice(path), path)

    @pytest.mark.parametrize(
        "content",
        [b"", b"{", b"speech", b"\xff\xfe\x00", b"[" * 100_000],
        ids=["empty", "cut", "words", "not UTF-8", "bottomless"],
    )
    def test_what_is_not_json(self, tmp_path, refused, content):
        path = tmp_path / "odd.onnx.json"
        path.write_bytes(content)
        refused(lambda: read_voice(path), path)

    @pytest.mark.parametrize("content", ["[]", "3", "null", "{}"])
    def test_json_of_something_else(self, tmp_path, refused, content):
        path = tmp_path / "odd.onnx.json"
        path.write_text(content, encoding="utf-8")
        assert "is it the JSON of a Piper voice?" in refused(lambda: read_voice(path), path)

    def test_a_directory(self, tmp_path, refused):
        path = tmp_path / "folder.onnx.json"
        path.mkdir()
        refused(lambda: read_voice(path), path)

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"audio": ...}, "audio"),
            ({"audio": {}}, "sample_rate"),
            ({"audio": {"sample_rate": 0}}, "sample_rate"),
            ({"audio": {"sample_rate": "fast"}}, "fast"),
            ({"audio": {"sample_rate": math.inf}}, "infinity"),
            ({"espeak": ...}, "espeak"),
            ({"espeak": {}}, "voice"),
            ({"phoneme_id_map": ...}, "phoneme_id_map"),
            ({"phoneme_id_map": {"_": [0], "a": [1]}}, "'^', '$'"),
            ({"phoneme_id_map": {"_": [0], "^": [1], "$": [-2]}}, "'$'"),
            ({"phoneme_id_map": {"_": 0}}, "not iterable"),
            ({"phoneme_id_map": []}, "items"),
            ({"phoneme_type": "pinyin"}, "pinyin"),
            ({"inference": {"length_scale": 0}}, "length_scale"),
            ({"inference": {"noise_scale": math.nan}}, "noise_scale"),
            ({"inference": {"noise_w": -1}}, "noise_w"),
            ({"inference": []}, "get"),
            ({"num_speakers": "two"}, "two"),
            ({"num_speakers": 2, "default_speaker_id": 2}, "default_speaker_id is 2, but"),
            ({"default_speaker_id": -1}, "default_speaker_id is -1, but"),
            ({"speaker_id_map": [1], "num_speakers": 2}, "items"),
        ],
    )
    def test_what_is_wrong_is_named(self, read, tmp_path, refused, changes, named):
        path = tmp_path / "en_GB-test-medium.onnx.json"
        assert named in refused(lambda: read(**changes), path)


def voice_shape(ups, blocks):
    """Returns a network of one channel with the given transposed convolutions and dilations by kernel size."""

    def same(kernel_size, dilation=1):
        return ConvShape(1, 1, kernel_size, dilation=dilation, padding=(kernel_size - 1) // 2 * dilation)

    stage = tuple(tuple((same(kernel, d),) for d in dilations) for kernel, dilations in blocks)
    generator = GeneratorShape(
        conv_pre=same(7),
        ups=tuple(ConvShape(1, 1, kernel, stride, padding=(kernel - stride) // 2) for kernel, stride in ups),
        blocks=(stage,) * len(ups),
        conv_post=same(7),
    )
    return VitsShape(
        text_encoder=TextEncoderShape(10, 4, 4, 3, 2, 1, 4, 4),
        duration=DurationShape(4, 4, 3, 3, (3, 5, 7), 10),
        flow=FlowShape(4, 4, (0, 2, 4, 6), 5, (1, 1, 1, 1)),
        generator=generator,
        speakers=1,
        speaker_channels=0,
    )


class TestShape:
    """Numbers worked out by hand; test_model.py measures them on networks."""

    MEDIUM = voice_shape([(16, 8), (16, 8), (8, 4)], [(3, (1, 2)), (5, (2, 6)), (7, (3, 12))])

    def test_samples_per_frame_are_the_product_of_the_strides(self):
        assert self.MEDIUM.samples_per_frame == 256

    def test_the_flow_reaches_two_frames_for_each_of_sixteen_convolutions(self):
        assert self.MEDIUM.flow_context_frames == 32

    def test_the_generator_of_a_medium_voice_reaches_eleven_frames(self):
        # From a frame's last sample, 255: conv_post and the widest block 255 + 3 + 45 = 303, upsampled by 4 from
        # (303 + 2) // 4 = 76; block 121, from (121 + 4) // 8 = 15; block 60, from (60 + 4) // 8 = 8; conv_pre 11.
        assert self.MEDIUM.generator_context_frames == 11

    def test_each_stage_reaches_by_its_own_widest_block(self):
        assert self.MEDIUM.generator.stage_reaches == (7, 7, 13)
