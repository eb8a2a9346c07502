"""Gives voices the other names of the server's settings. Called by `build.py` at start."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from phonoscope.common.errors import InvalidRequest, SettingsError
from phonoscope.server.messages import listed
from phonoscope.server.request.mixtures import is_mixture
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.types import Voice

_RESERVED = ("default",)


def with_aliases(voices: Sequence[Voice], aliases: Mapping[str, str]) -> list[Voice]:
    """Returns the voices in their order, each with its aliases, and then the mixtures that have one.

    Args:
        voices: the loaded voices, at least one.
        aliases: the voice, voice:speaker or mixture that each name stands for.

    Raises:
        SettingsError: a name is that of a voice, is reserved, or has a colon, plus or bracket; or it stands for a
            voice that is not loaded, or a mixture that is not valid.
    """
    choice = VoiceChoice(voices)
    known = {voice.id: voice for voice in voices}
    own: dict[str, list[tuple[str, int]]] = {name: [] for name in known}
    for name, target in aliases.items():
        if name in known or name in _RESERVED or ":" in name or is_mixture(name):
            raise SettingsError(
                f"voice_aliases: {name!r} cannot be an alias; use a name without a colon, plus or bracket that is "
                f"neither {listed(list(_RESERVED))} nor that of a loaded voice"
            )
        try:
            voice, speaker = choice.named(target)
        except InvalidRequest as error:
            raise SettingsError(f"voice_aliases: {name}={target}: {error.violations[0].description}") from None
        known.setdefault(voice.id, voice)
        own.setdefault(voice.id, []).append((name, speaker))
    return [replace(voice, aliases=tuple(own[voice.id])) for voice in known.values()]


def with_default_mixture(voices: Sequence[Voice], mixture: str) -> list[Voice]:
    """Returns the voices after the mixture that is the default.

    Raises:
        SettingsError: it is not valid, or a voice in it is not loaded.
    """
    try:
        default, _ = VoiceChoice(voices).named(mixture)
    except InvalidRequest as error:
        raise SettingsError(f"default_voice: {error.violations[0].description}") from None
    return [default, *(voice for voice in voices if voice.id != default.id)]
