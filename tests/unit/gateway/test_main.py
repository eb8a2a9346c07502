"""Startup of the gateway's process."""

import logging
import socket

import pytest

from phonoscope.common.errors import PortTaken
from phonoscope.gateway.__main__ import _is_unexpected, _listening, main
from phonoscope.gateway.settings import GatewaySettings
from phonoscope.gateway.speech_response import ResponseTruncated


def test_a_port_in_use_is_one_line_that_names_it():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = f"cannot listen on 127.0.0.1:{port}: Address already in use; stop the other process, or choose"
        with pytest.raises(PortTaken, match=message), _listening(GatewaySettings(port=port)):
            pass


def test_a_connection_sends_small_parts_without_waiting_for_acknowledgements():
    with (
        _listening(GatewaySettings(port=0)) as listener,
        socket.create_connection(listener.getsockname()),
        listener.accept()[0] as connection,
    ):
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_setting_that_is_not_valid_ends_with_status_1(capsys):
    assert main(["--openai-voices", "=joe", "--port", "0"]) == 1
    assert capsys.readouterr().err == (
        "phonoscope gateway: openai_voices: '=joe' has no name; write NAME=VOICE, or NAME\n"
    )


@pytest.mark.parametrize(("error", "is_logged"), [(ResponseTruncated(), False), (RuntimeError(), True), (None, True)])
def test_uvicorns_log_of_truncated_responses_is_dropped(error, is_logged):
    info = (type(error), error, None) if error else None
    record = logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception in ASGI application", None, info)
    assert _is_unexpected(record) is is_logged
