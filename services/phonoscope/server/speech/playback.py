"""A pure model of a player that starts at the first chunk of a stream: detects underruns.

Called by `delivery.py` and `synthesizer.py`, once a chunk is made and once gRPC has accepted it; the result becomes
ChunkSent. The player is the simplest possible: no network, no buffer of its own, playing from the instant of the
first chunk. A reader that does not accept a chunk (gRPC's flow control) still has unread audio, so the server did not
cause an underrun: the time spent waiting for the reader counts as neither gap nor underrun.
"""


class PlaybackClock:
    """Follows one stream. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._dry_at: float | None = None
        self._last_seconds = 0.0  # of the last chunk
        self._ready_at = 0.0  # when gRPC requested the next chunk

    def chunk(self, now: float, audio_seconds: float) -> tuple[float, float] | None:
        """Records a new chunk; returns its gap and its slack in seconds, None for the first.

        The gap is the time since the previous chunk, less the time spent waiting for the reader. The slack is the time
        left before the player runs dry; when it is negative, the player stalled for that long and starts again.
        """
        dry_at, ready_at = self._dry_at, self._ready_at
        self._last_seconds = audio_seconds
        self._ready_at = now
        if dry_at is None:
            self._dry_at = now + audio_seconds
            return None
        self._dry_at = max(dry_at, now) + audio_seconds
        return now - ready_at, dry_at - now

    def restart(self) -> None:
        """Records that the next audio had to wait for its text: its chunk counts as a first one again."""
        self._dry_at = None

    def resumed(self, now: float) -> None:
        """Records that gRPC has accepted the chunk and requests the next; none of that chunk can be played yet."""
        self._ready_at = now
        if self._dry_at is not None:
            self._dry_at = max(self._dry_at, now + self._last_seconds)
