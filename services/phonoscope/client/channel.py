"""How the client's one channel is set up: retries, keepalive, message sizes, TLS. blocking.py and aio.py build on it.

Retries follow gRFC A6 and are gRPC's own: only UNAVAILABLE, only before the first message of a reply, with
exponential backoff and jitter, throttled so that a sick server is not hammered. A busy server's RESOURCE_EXHAUSTED is
the client's own matter (retries.py): gRPC would not wait for as long as RetryInfo asks.
"""

import json
from pathlib import Path
from typing import Final, Literal

import grpc

DEFAULT_TARGET: Final = "localhost:50051"
DEFAULT_TIMEOUT_SECONDS: Final = 60.0

SERVICE_CONFIG: Final = json.dumps(
    {
        "methodConfig": [
            {
                # Health checks are left out on purpose: a probe must tell what is, at once.
                "name": [{"service": "phonoscope.tts.v1.TextToSpeech"}],
                "retryPolicy": {
                    "maxAttempts": 4,
                    "initialBackoff": "0.1s",
                    "maxBackoff": "2s",
                    "backoffMultiplier": 3,
                    "retryableStatusCodes": ["UNAVAILABLE"],
                },
            }
        ],
        # Ten failures without successes between them use up the retries of the channel's server name; each success
        # gives back a tenth of one.
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
)

CHANNEL_OPTIONS: Final[tuple[tuple[str, str | int], ...]] = (
    ("grpc.enable_retries", 1),
    ("grpc.service_config", SERVICE_CONFIG),
    # A server that went away without a word, such as a lost node, is noticed within 40 s; idle channels stay silent.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # A restarted server is found again within seconds, not after gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # A connection for each client: gRPC would let all that a process has for one server share one.
    ("grpc.use_local_subchannel_pool", 1),
    # A unary reply holds up to 4 MiB of audio, plus its other fields: gRPC's default limit of 4 MiB would lose those
    # that reach it.
    ("grpc.max_receive_message_length", 8 * 1024 * 1024),
)

LoadBalancing = Literal["pick_first", "round_robin"]
"""Of a name's addresses: the first that answers, or all in turn."""


def channel_options(
    load_balancing: LoadBalancing, read_ahead_bytes: int | None = None
) -> tuple[tuple[str, str | int], ...]:
    """Returns the options of a client's channel.

    Args:
        load_balancing: among the addresses of its target.
        read_ahead_bytes: how much of a stream gRPC takes before its reader asks; None lets it take what the network
            can carry, some megabytes.
    """
    options = (*CHANNEL_OPTIONS, ("grpc.lb_policy_name", load_balancing))
    if read_ahead_bytes is None:
        return options
    return (*options, ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", read_ahead_bytes))


def channel_credentials(
    credentials: grpc.ChannelCredentials | None, *, tls: bool, root_certificates: Path | None
) -> grpc.ChannelCredentials | None:
    """Returns what secures the channel, or None for plain text.

    `credentials` are used as they are; otherwise `tls`, or `root_certificates` (a PEM file that says whom to trust
    instead of gRPC's own list), asks for TLS. Raises OSError when the file cannot be read.
    """
    if credentials is not None:
        return credentials
    if root_certificates is not None:
        return grpc.ssl_channel_credentials(root_certificates.read_bytes())
    return grpc.ssl_channel_credentials() if tls else None
