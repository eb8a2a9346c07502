"""An example receiver: takes Alertmanager's webhook and prints each alert as one line of JSON.

Run by Compose as `webhook` (profile alerting) and by tests/integration/deploy; needs nothing but Python. Follows the
payload of https://prometheus.io/docs/alerting/latest/configuration/#webhook_config.

    python webhook.py 9095
"""  # noqa: INP001  a script that is mounted into a container, not a module

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

MAX_BYTES: Final = 2**20
READ_SECONDS: Final = 10.0


def alert_line(alert: dict[str, Any]) -> str:
    """Returns what a person wants to know of one alert."""
    labels, annotations = alert["labels"], alert["annotations"]
    names = ("alertname", "severity", "instance", "voice_model", "slo", "gpu")
    line = {"status": alert["status"], **{name: labels[name] for name in names if name in labels}, **annotations}
    return json.dumps(line, ensure_ascii=False)


class Receiver(BaseHTTPRequestHandler):
    """Answers 200 to a message that it printed and 400 to what is none."""

    timeout = READ_SECONDS

    def do_POST(self) -> None:
        """Prints the alerts of one message."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > MAX_BYTES:
            self.send_error(413)
            return
        try:
            lines = [alert_line(alert) for alert in json.loads(self.rfile.read(length))["alerts"]]
        except (ValueError, KeyError, TypeError):
            self.send_error(400, "not a message of Alertmanager")
            return
        for line in lines:
            print(line, flush=True)  # noqa: T201  its purpose
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it
        """Says nothing: the alerts are the log."""


if __name__ == "__main__":
    with ThreadingHTTPServer(("", int(sys.argv[1])), Receiver) as server:
        print(json.dumps({"status": "listening", "port": server.server_port}), flush=True)  # noqa: T201
        server.serve_forever()
