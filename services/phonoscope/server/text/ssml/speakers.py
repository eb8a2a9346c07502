"""Selects loaded voices for SSML elements: `voice`, `lang` and xml:lang. Called by `document.py`."""

from dataclasses import replace
from typing import Protocol

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.text.safe_xml import Refusal
from phonoscope.server.text.ssml.elements import Frame
from phonoscope.server.types import Voice


class Voices(Protocol):
    """Looks up loaded voices; both methods raise InvalidRequest if there is no match."""

    def named(self, speaker_id: str) -> tuple[Voice, int]:
        """Returns the voice and speaker index of a voice name or voice:speaker name."""

    def of_language(self, language: str) -> Voice:
        """Returns a voice for the language."""


class NobodySpeaks(Exception):
    """No voice is available for the element that starts at `at`."""

    def __init__(self, error: InvalidRequest, at: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.at = at


class Speakers:
    """Assigns speakers to elements.

    Args:
        own: the default voice, used where an element names none.
        voices: looks up other voices.
    """

    def __init__(self, own: Voice, voices: Voices) -> None:
        self._own = own
        self._voices = voices

    def voice(self, frame: Frame) -> Voice:
        """Returns the voice of an element."""
        return frame.voice or self._own

    def named(self, frame: Frame) -> Frame:
        """Assigns to a <voice> element the first loaded voice of its names, or of its first language.

        Raises:
            NobodySpeaks: none of the named voices is loaded.
            Refusal: the element names neither.
        """
        names, languages = frame.attribute("name").split(), frame.attribute("languages").split()
        if not names and not languages:
            raise Refusal("<voice> has neither name nor languages; add one of them", frame.at)
        if not names:
            return self.of_language(frame, languages[0].partition(":")[0])
        try:
            voice, speaker = self._first_of(names)
        except InvalidRequest as error:
            raise NobodySpeaks(error, frame.at) from None
        return replace(frame, voice=voice, speaker=speaker)

    def of_language(self, frame: Frame, language: str) -> Frame:
        """Assigns a voice of the element's language; the same primary language is sufficient.

        Raises:
            NobodySpeaks: there is none, and the element does not set a fallback.
        """
        if not language:
            raise Refusal('<lang> has no xml:lang; add one, such as xml:lang="fr-FR"', frame.at)
        if _primary(self.voice(frame).language) == _primary(language):
            return frame
        try:
            voice = self._exactly_or_nearly(language)
        except InvalidRequest as error:
            match frame.language_failure:
                case "ignorelang":
                    return frame
                case "ignoretext":
                    return replace(frame, is_heard=False)
            raise NobodySpeaks(error, frame.at) from None
        return replace(frame, voice=voice, speaker=voice.default_speaker)

    def _first_of(self, names: list[str]) -> tuple[Voice, int]:
        """Returns the first loaded voice of a list, as SSML specifies."""
        for name in names[:-1]:
            try:
                return self._voices.named(name)
            except InvalidRequest:
                continue
        return self._voices.named(names[-1])

    def _exactly_or_nearly(self, language: str) -> Voice:
        try:
            return self._voices.of_language(language)
        except InvalidRequest:
            return self._voices.of_language(_primary(language))


def _primary(language: str) -> str:
    return language.replace("_", "-").partition("-")[0].lower()
