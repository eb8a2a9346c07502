"""Chooses a loaded voice by the caller's speaker_id, its language, or the script of the text.

Called by `resolver.py`, and by the SSML reader for `voice` and `lang`.
"""

import difflib
from collections.abc import Sequence
from typing import Final

from phonoscope.common.errors import InvalidRequest
from phonoscope.server.messages import LONGEST_SHOWN, listed, shown
from phonoscope.server.request.mixtures import is_mixture, mixture_of, parts_of
from phonoscope.server.text.writing import has_letters_of, languages_written_in, scripts_in, scripts_of
from phonoscope.server.types import Voice

AUTO: Final = "auto"
LONGEST_SPEAKER_NUMBER: Final = 9
Speaker = tuple[Voice, int]


class VoiceChoice:
    """Chooses among voices, the default first.

    A named recording is chosen after them where no voice is named, and last one that needs a recording of the request.
    """

    def __init__(self, voices: Sequence[Voice]) -> None:
        self.default, *others = voices
        others.sort(key=lambda voice: (voice.needs_reference, bool(voice.base)))
        self._voices = {voice.id: voice for voice in (self.default, *others)}
        self._aliases = {name: (voice, speaker) for voice in voices for name, speaker in voice.aliases}

    def asked(self, speaker_id: str, language: str, text: str) -> Speaker:
        """Returns the speaker for a request's fields; the text decides if the language is "auto" or absent.

        Raises:
            InvalidRequest: no such voice, speaker or language, or no voice that reads the text's script.
        """
        is_auto = language.lower() == AUTO
        if speaker_id in ("", "default"):
            if is_auto:
                return self._of_script(text)
            voice = self.of_language(language) if language else self.default
            speaker = voice, voice.default_speaker
        else:
            speaker = self._named(speaker_id, "" if is_auto else language)
        self._check_script(speaker[0], text)
        return speaker

    def named(self, speaker_id: str) -> Speaker:
        """Returns the voice, voice:speaker or mixture of that name. Raises InvalidRequest if there is none."""
        return self._named(speaker_id, "")

    def of_language(self, language: str) -> Voice:
        """Returns the first voice of a language. Raises InvalidRequest if there is none."""
        for voice in self._voices.values():  # the default first
            if speaks(voice, language):
                return voice
        raise InvalidRequest.of(
            "language",
            f"no loaded voice supports {shown(language)}; use one of {listed(self._languages)}",
            reason="LANGUAGE_UNKNOWN",
        )

    @property
    def _languages(self) -> list[str]:
        return sorted({voice.language for voice in self._voices.values()})

    def _named(self, speaker_id: str, language: str) -> Speaker:
        named, speaker = self._speaker(speaker_id)
        if language and not speaks(named, language):
            raise InvalidRequest.of(
                "language",
                f"{shown(language)} is not the language of {named.id}, which is {named.language}; leave language or "
                "speaker_id empty",
                reason="LANGUAGE_MISMATCH",
            )
        return named, speaker

    def _speaker(self, name: str) -> Speaker:
        """Returns the voice and speaker of an alias, a mixture, a voice or voice:speaker."""
        if alias := self._aliases.get(name):
            return alias
        voice_id, _, number = name.partition(":")
        voice = self._voices.get(voice_id)
        if is_mixture(name) and not (voice and is_mixture(voice_id)):
            return self._mixture(name), 0
        if voice is None:
            raise self._unknown(voice_id)
        return voice, _speaker_number(voice, number)

    def _mixture(self, written: str) -> Voice:
        parts = [(self._speaker(name)[0], weight) for name, weight in parts_of(written)]
        mixture = mixture_of(parts, [voice.id for voice in self._voices.values() if voice.mixing_group])
        return self._voices.get(mixture.id, mixture)

    def _unknown(self, name: str) -> InvalidRequest:
        known = [*self._voices, *self._aliases]
        near = difflib.get_close_matches(name, known) if len(name) <= LONGEST_SHOWN else []
        hint = f" (near it: {', '.join(near)})" if near else ""
        description = f"{shown(name)} is not loaded{hint}; use one of {listed(known)}"
        return InvalidRequest.of("speaker_id", description, reason="VOICE_UNKNOWN")

    def _of_script(self, text: str) -> Speaker:
        """Returns the first voice that reads the main script of the text; the default if it has none.

        A language with that script only precedes one with others: Han alone is Chinese rather than Japanese.
        """
        scripts = scripts_in(text)
        if not scripts:
            return self.default, self.default.default_speaker
        able = [voice for voice in self._voices.values() if scripts[0] in scripts_of(voice.language)]
        if not able:
            raise self._unread(scripts[0], "no loaded voice supports")
        voice = min(able, key=lambda voice: len(scripts_of(voice.language)))  # the first of those with the fewest
        return voice, voice.default_speaker

    def _check_script(self, voice: Voice, text: str) -> None:
        """Refuses a text in a script that a voice cannot read: espeak-ng would speak "Chinese letter"."""
        known = scripts_of(voice.language) | voice.phonemes.other_scripts
        if voice.phonemes.kind != "espeak" or has_letters_of(known, text):
            return
        if scripts := scripts_in(text):
            raise self._unread(scripts[0], f"{voice.id} ({voice.language}) does not support")

    def _unread(self, script: str, unable: str) -> InvalidRequest:
        if able := [voice.id for voice in self._voices.values() if script in scripts_of(voice.language)]:
            advice = f'send language "auto", or use another speaker_id: {listed(able)}'
        else:
            languages = languages_written_in(script)
            advice = f"load a voice that does{f', of one of the languages {languages}' if languages else ''}"
        return InvalidRequest.of(
            "text", f"is in {script} script, which {unable}; {advice}", reason="SCRIPT_NOT_SPOKEN"
        )


def speaks(voice: Voice, language: str) -> bool:
    """Whether a voice's language is the requested BCP 47 tag or a variety of it: "en" covers "en-US"."""
    asked = language.replace("_", "-").lower()
    own = voice.language.lower()
    return own == asked or own.startswith(asked + "-")


def _speaker_number(voice: Voice, speaker: str) -> int:
    if not speaker:
        return voice.default_speaker
    if speaker in voice.speakers:
        return voice.speakers.index(speaker)
    if speaker.isascii() and speaker.isdecimal() and len(speaker) <= LONGEST_SPEAKER_NUMBER:
        number = int(speaker)
        if number < max(1, len(voice.speakers)):
            return number
    if not voice.speakers:
        raise InvalidRequest.of(
            "speaker_id",
            f"{voice.id} has only one speaker, not {shown(speaker)}; use {voice.id!r}",
            reason="SPEAKER_UNKNOWN",
        )
    raise InvalidRequest.of(
        "speaker_id",
        f"{voice.id} has no speaker {shown(speaker)}; use a number from 0 to {len(voice.speakers) - 1}, or a name "
        "that ListVoices returns",
        reason="SPEAKER_UNKNOWN",
    )
