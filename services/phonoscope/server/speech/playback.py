"""A pure model of a player that starts at the first chunk of a stream: does it ever run dry?

Called by `delivery.py` and `synthesizer.py`, once a chunk is made and once gRPC has taken it; the result becomes
ChunkSent. The player is the simplest that there is: no network, no buffer of its own, playing from the instant of the
first chunk. A reader that would not take a chunk (gRPC's flow control) still had audio that it had not read, so it was
not we who let it run dry: the time that it made us wait is neither gap nor underrun of ours.
"""


class PlaybackClock:
    """Follows one stream. Times are those of one monotonic clock, in seconds."""

    def __init__(self) -> None:
        self._dry_at: float | None = None
        self._last_seconds = 0.0  # of the last chunk
        self._ready_at = 0.0  # when gRPC asked for the chunk that comes next

    def chunk(self, now: float, audio_seconds: float) -> tuple[float, float] | None:
        """Notes that a chunk is made; returns its gap and its slack in seconds, None for the first.

        The gap is the time since the chunk before it, less what the reader held us up. The slack is how long before
        the player would have run dry; when it is negative, the player stood still for that long and starts again.
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
        """Notes that what comes next had to wait for its text: its chunk is a first one again."""
        self._dry_at = None

    def resumed(self, now: float) -> None:
        """Notes that gRPC has taken the chunk and asks for the next; none of that chunk can have been played yet."""
        self._ready_at = now
        if self._dry_at is not None:
            self._dry_at = max(self._dry_at, now + self._last_seconds)
