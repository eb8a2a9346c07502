"""Configuration of the client's channel: retries, keepalive, message sizes, TLS. base.py uses it.

Retries follow gRFC A6 and are gRPC's own: only UNAVAILABLE, only before the first message of a reply, with
exponential backoff and jitter, and throttled so that a failing server is not overloaded. RESOURCE_EXHAUSTED is retried
by the client itself (retries.py): gRPC does not wait for the delay in RetryInfo.
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
                # Health checks are not retried: a probe must report the current state.
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
        # Ten failures in a row use up the retry budget of the server name; each success restores a tenth of a retry.
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
    }
)

ChannelOptions = tuple[tuple[str, str | int], ...]
CHANNEL_OPTIONS: Final[ChannelOptions] = (
    ("grpc.enable_retries", 1),
    ("grpc.service_config", SERVICE_CONFIG),
    # A server that disappears without closing, such as a lost node, is detected within 40 s; idle channels are quiet.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    # Reconnects to a restarted server within seconds, not after gRPC's default of two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # One connection per client: by default all channels of a process to the same server share one.
    ("grpc.use_local_subchannel_pool", 1),
    # A unary reply holds up to 4 MiB of audio plus its other fields, which exceeds gRPC's default limit of 4 MiB.
    ("grpc.max_receive_message_length", 8 * 1024 * 1024),
)

LoadBalancing = Literal["pick_first", "round_robin"]
"""Which addresses of a name get the calls: the first that is reachable, or all in turn."""


def channel_options(load_balancing: LoadBalancing, read_ahead_bytes: int | None = None) -> ChannelOptions:
    """Returns the options of a client's channel.

    Args:
        load_balancing: policy for the addresses of the target.
        read_ahead_bytes: maximum that gRPC buffers of a stream before it is read; None means gRPC's own estimate,
            some megabytes.
    """
    options = (*CHANNEL_OPTIONS, ("grpc.lb_policy_name", load_balancing))
    if read_ahead_bytes is None:
        return options
    return (*options, ("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", read_ahead_bytes))


def channel_credentials(
    credentials: grpc.ChannelCredentials | None, *, tls: bool, root_certificates: Path | None
) -> grpc.ChannelCredentials | None:
    """Returns the credentials of the channel, or None for an insecure one.

    `credentials` take precedence; otherwise `tls`, or `root_certificates` (a PEM file of trusted certificate
    authorities, in place of gRPC's own list), selects TLS. Raises OSError when the file cannot be read.
    """
    if credentials is not None:
        return credentials
    if root_certificates is not None:
        return grpc.ssl_channel_credentials(root_certificates.read_bytes())
    return grpc.ssl_channel_credentials() if tls else None
