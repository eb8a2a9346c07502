"""A simulated player: counts the gaps that a listener would hear. The targets use one per call."""


class Player:
    """Starts playback with the first chunk; an underrun is a chunk that arrives after the previous audio has ended.

    The server's metric tts_playback_underruns_total counts the same on its side of the network.
    """

    def __init__(self) -> None:
        self.first_audio_at: float | None = None
        self.audio_seconds = 0.0
        self.gaps_seconds: list[float] = []
        self.underruns = 0
        self._last_at = 0.0
        self._plays_until = 0.0

    def play(self, at: float, audio_seconds: float) -> None:
        """Adds a chunk that arrived at the time `at`."""
        if self.first_audio_at is None:
            self.first_audio_at = self._plays_until = at
        else:
            self.gaps_seconds.append(at - self._last_at)
            self.underruns += at > self._plays_until
        self._last_at = at
        self._plays_until = max(self._plays_until, at) + audio_seconds
        self.audio_seconds += audio_seconds
