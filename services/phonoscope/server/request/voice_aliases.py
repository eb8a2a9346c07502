"""Gives voices the other names of the server's settings. Called by `build.py` at start."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from phonoscope.common.errors import InvalidRequest, SettingsError
from phonoscope.server.messages import listed
from phonoscope.server.request.voice_choice import VoiceChoice
from phonoscope.server.types import Voice

_RESERVED = ("default",)


def with_aliases(voices: Sequence[Voice], aliases: Mapping[str, str]) -> list[Voice]:
    """Returns the voices in their order, each with its aliases.

    Args:
        voices: the loaded voices, at least one.
        aliases: the voice, or voice:speaker, that each name stands for.

    Raises:
        SettingsError: a name is that of a voice, is reserved or has a colon, or stands for a voice that is not loaded.
    """
    choice = VoiceChoice(voices)
    own: dict[str, list[tuple[str, int]]] = {voice.id: [] for voice in voices}
    for name, target in aliases.items():
        if name in own or name in _RESERVED or ":" in name:
            raise SettingsError(
                f"voice_aliases: {name!r} cannot be an alias; use a name without a colon that is neither "
                f"{listed(list(_RESERVED))} nor that of a loaded voice"
            )
        try:
            voice, speaker = choice.named(target)
        except InvalidRequest as error:
            raise SettingsError(f"voice_aliases: {name}={target}: {error.violations[0].description}") from None
        own[voice.id].append((name, speaker))
    return [replace(voice, aliases=tuple(own[voice.id])) for voice in voices]
