"""Who speaks within an element of SSML: `voice`, `lang` and xml:lang, as loaded voices. `document.py` calls it."""

from dataclasses import replace
from typing import Protocol

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.text.safe_xml import Refusal
from phonoscope.server.text.ssml.elements import Frame
from phonoscope.server.types import Voice


class Voices(Protocol):
    """Who could speak; both raise InvalidRequest where nobody is found."""

    def named(self, speaker_id: str) -> tuple[Voice, int]:
        """Returns the voice, or voice:speaker, of that name."""

    def of_language(self, language: str) -> Voice:
        """Returns a voice of that language."""


class NobodySpeaks(Exception):
    """No voice is there for an element that begins at `at`."""

    def __init__(self, error: InvalidRequest, at: int) -> None:
        super().__init__(str(error))
        self.error = error
        self.at = at


class Speakers:
    """Gives elements to speakers.

    Args:
        own: who speaks where an element names nobody.
        voices: who else could.
    """

    def __init__(self, own: Voice, voices: Voices) -> None:
        self._own = own
        self._voices = voices

    def voice(self, frame: Frame) -> Voice:
        """Returns the voice of an element."""
        return frame.voice or self._own

    def named(self, frame: Frame) -> Frame:
        """Gives a <voice> to whom it names.

        Raises:
            NobodySpeaks: none of them is loaded.
        """
        names, languages = frame.attribute("name").split(), frame.attribute("languages").split()
        if not names and not languages:
            raise Refusal("<voice> names nobody; write name or languages", frame.at)
        if not names:
            return self.of_language(frame, languages[0].partition(":")[0])
        try:
            voice, speaker = self._first_of(names)
        except InvalidRequest as error:
            raise NobodySpeaks(error, frame.at) from None
        return replace(frame, voice=voice, speaker=speaker)

    def of_language(self, frame: Frame, language: str) -> Frame:
        """Gives an element to a voice of its language; one of the same primary language will do.

        Raises:
            NobodySpeaks: there is none, and the element does not say what to do then.
        """
        if not language:
            raise Refusal('<lang> has no xml:lang; write one, such as xml:lang="fr-FR"', frame.at)
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
        """Returns the first of some voices that is loaded, as SSML has it."""
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
