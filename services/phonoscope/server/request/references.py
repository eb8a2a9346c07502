"""The recordings of a request, before they are decoded: whether they are complete, and which voice takes them.

Called by `resolver.py`. `speech/recording_checks.py` decodes them, once all other fields are valid.
"""

from collections.abc import Sequence
from typing import Final

from phonoscope.common.errors import InvalidRequest, NotServed
from phonoscope.server.messages import listed, other_voices, shown
from phonoscope.server.request.voice_choice import Speaker, VoiceChoice
from phonoscope.server.types import GivenRecording, SpeechRequest, Voice

# Of all recordings of a request; the servers' limits of message sizes follow from it.
MAX_RECORDING_BYTES: Final = 10 * 2**20
MAX_TRANSCRIPT_CHARACTERS: Final = 1_000
_DEFAULT: Final = ("", "default")


class References:
    """Checks the recordings of requests against the loaded voices.

    Args:
        voices: the loaded voices, the default first.
        choice: chooses among them.
    """

    def __init__(self, voices: Sequence[Voice], choice: VoiceChoice) -> None:
        self._voices = tuple(voices)
        self._choice = choice
        self._recorded = [voice.id for voice in voices if voice.reference]
        able = [voice for voice in voices if voice.takes_reference and not voice.reference]
        self._imitating = VoiceChoice(able) if able else choice

    def voice_of(self, request: SpeechRequest) -> Speaker:
        """Returns the speaker of a request; one that takes its recording if it does not name a voice.

        Raises:
            InvalidRequest: no such voice, speaker or language, or no voice that reads the text's script.
        """
        asked, given = request.speaker_id, request.reference
        if asked not in _DEFAULT or given is None:
            return self._choice.asked(asked, request.language, request.text)
        if given.name in self._recorded:
            return self._choice.asked(given.name, request.language, request.text)
        try:
            return self._imitating.asked("", request.language, request.text)
        except InvalidRequest:  # check_served then says which voices take a recording
            return self._choice.asked("", request.language, request.text)

    def check(self, request: SpeechRequest, voices: Sequence[Voice]) -> None:
        """Checks the recordings of a request that `voices` speak, its own voice first.

        Raises:
            InvalidRequest: one is incomplete, unknown or too large, is missing, or excludes another field.
        """
        own, *others = voices
        if request.reference is not None:
            self._check_given("reference", request.reference)
            if own.base and request.reference.name != own.id:
                raise InvalidRequest.of(
                    "reference",
                    f"cannot be combined with the speaker_id {own.id}, which is a recording itself; use {own.base}",
                    reason="REFERENCE_TWICE",
                )
            voices = others
        if request.emotion_reference is not None:
            self._check_given("emotion_reference", request.emotion_reference)
            if request.emotion or request.emotion_weights:
                raise InvalidRequest.of(
                    "emotion_reference",
                    "cannot be combined with emotion or emotion_weights; send one of them",
                    reason="EMOTION_TWICE",
                )
        _check_size(request)
        if needing := [voice.id for voice in voices if voice.needs_reference]:
            raise self._required(needing[0])

    def check_served(self, request: SpeechRequest, speakers: Sequence[Speaker]) -> None:
        """Raises NotServed if a voice does not take the recording that it is to speak with."""
        own, *_ = voices = [voice for voice, _ in speakers]
        if request.reference is not None and not own.takes_reference and request.reference.name != own.id:
            able = [voice.id for voice in self._voices if voice.takes_reference and not voice.base]
            raise NotServed(
                f"{own.id} does not take a recording to speak like; remove reference, or {other_voices(able)}",
                reason="REFERENCE_NOT_SERVED",
            )
        if request.emotion_reference is not None and (unable := [v for v in voices if not v.takes_emotion_reference]):
            able = [voice.id for voice in self._voices if voice.takes_emotion_reference]
            raise NotServed(
                f"{unable[0].id} does not take the emotion of a recording; remove emotion_reference, or "
                f"{other_voices(able)}",
                reason="EMOTION_REFERENCE_NOT_SERVED",
            )

    def _check_given(self, field: str, given: GivenRecording) -> None:
        if not given.audio and not given.name:
            description = "is empty; send audio, a file of 3 to 30 s of speech, or the name of a recording"
            raise InvalidRequest.of(field, description, reason="REFERENCE_EMPTY")
        if given.name and given.name not in self._recorded:
            known = f"use one of {listed(self._recorded)}" if self._recorded else "this server has none; send audio"
            description = f"there is no recording {shown(given.name)}; {known}"
            raise InvalidRequest.of(f"{field}.name", description, reason="REFERENCE_UNKNOWN")
        if given.name and given.transcript:
            description = "must be empty with name, whose transcript the server has"
            raise InvalidRequest.of(f"{field}.transcript", description, reason="REFERENCE_TRANSCRIPT_INVALID")
        if (length := len(given.transcript)) > MAX_TRANSCRIPT_CHARACTERS:
            description = (
                f"has {length} characters; the maximum is {MAX_TRANSCRIPT_CHARACTERS}; send only the words of the "
                "recording"
            )
            raise InvalidRequest.of(f"{field}.transcript", description, reason="REFERENCE_TRANSCRIPT_INVALID")

    def _required(self, needing: str) -> InvalidRequest:
        able = [voice.id for voice in self._voices if not voice.needs_reference]
        other = f", or use another speaker_id: {listed(able)}" if able else ""
        description = f"is required by {needing}, which speaks like a recording; send audio or a name{other}"
        return InvalidRequest.of("reference", description, reason="REFERENCE_REQUIRED")


def _check_size(request: SpeechRequest) -> None:
    given = {"reference": request.reference, "emotion_reference": request.emotion_reference}
    sizes = {f"{field}.audio": len(one.audio) for field, one in given.items() if one is not None}
    if (total := sum(sizes.values())) > MAX_RECORDING_BYTES:
        raise InvalidRequest.of(
            max(sizes, key=sizes.__getitem__),
            f"makes {total / 2**20:.1f} MiB of recordings; the maximum is {MAX_RECORDING_BYTES / 2**20:g} MiB; send "
            "30 s at most, or compress them, as FLAC or MP3",
            reason="REFERENCE_TOO_LARGE",
        )
