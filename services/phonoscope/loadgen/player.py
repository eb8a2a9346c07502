"""A player without loudspeakers: would somebody who listens have heard gaps? target.py has one for each stream."""


class Player:
    """Starts to play with the first chunk, and stands still when there is nothing left until more comes.

    The server's own tts_playback_underruns_total counts the same on its side of the network.
    """

    def __init__(self) -> None:
        self.first_audio_at: float | None = None
        self.audio_seconds = 0.0
        self.gaps_seconds: list[float] = []
        self.underruns = 0
        self._last_at = 0.0
        self._plays_until = 0.0

    def hear(self, at: float, audio_seconds: float) -> None:
        """Takes a chunk that came at the time `at`."""
        if self.first_audio_at is None:
            self.first_audio_at = self._plays_until = at
        else:
            self.gaps_seconds.append(at - self._last_at)
            self.underruns += at > self._plays_until
        self._last_at = at
        self._plays_until = max(self._plays_until, at) + audio_seconds
        self.audio_seconds += audio_seconds
