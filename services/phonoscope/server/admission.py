"""⑤ Who is let in: bounds on the requests held and on the audio owed to them. Called by `scheduler.py`."""

from dataclasses import dataclass
from typing import Final

from phonoscope.common.errors import Overloaded

# What a full server asks callers to wait before they come back.
RETRY_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Admission:
    """The bounds of one server.

    Attributes:
        most_requests: held at once.
        most_audio_seconds: owed at once, all requests together.
    """

    most_requests: int
    most_audio_seconds: float

    def check(self, audio_seconds: float, *, requests: int, owed_seconds: float) -> None:
        """Refuses a request that would pass a bound; an idle server takes one of any length.

        Args:
            audio_seconds: what the request will want.
            requests: held already.
            owed_seconds: of audio, owed to those.

        Raises:
            Overloaded: a bound would be passed.
        """
        if requests >= self.most_requests:
            raise Overloaded(
                f"the server already speaks for {requests} requests, its limit; call again after the delay",
                reason="QUEUE_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )
        if requests and owed_seconds + audio_seconds > self.most_audio_seconds:
            raise Overloaded(
                f"{owed_seconds:.0f} s of audio are owed and this request would add {audio_seconds:.0f} s, over the "
                f"limit of {self.most_audio_seconds:.0f} s; call again after the delay",
                reason="AUDIO_OWED_FULL",
                retry_after_seconds=RETRY_SECONDS,
            )
