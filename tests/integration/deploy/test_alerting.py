"""The real Prometheus and Alertmanager with our rules and routes: a server that is gone reaches a webhook.

Only addresses and waits differ from deploy/: target, webhook, how often rules are evaluated, `for`, group_wait.
"""

import json
import shutil
import socket
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final

import pytest
import yaml

DEPLOY: Final = Path(__file__).parents[3] / "deploy"
GENEROUS_SECONDS: Final = 60.0
GONE: Final = {"alertname": "PhonoscopeServerDown", "severity": "critical", "job": "phonoscope", "instance": "a:9464"}
FULL: Final = {"alertname": "PhonoscopeQueueSaturated", "severity": "warning", "job": "phonoscope"}
BURNS: Final = {"alertname": "PhonoscopeErrorBudgetBurn", "job": "phonoscope", "slo": "availability"}

pytestmark = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("prometheus-alertmanager")),
    reason="needs the programs prometheus and prometheus-alertmanager (Debian's packages; .ci/check-prometheus)",
)


class Process:
    """A program, and the lines that it printed; what it prints is read on a thread of its own."""

    def __init__(self, *command: str) -> None:
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.lines: list[str] = []
        self._came = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        for line in self._out():
            with self._came:
                self.lines.append(line)
                self._came.notify_all()

    def _out(self) -> IO[str]:
        assert self.process.stdout
        return self.process.stdout

    def line(self, *words: str) -> str:
        """Waits for a line with all of these words."""

        def found() -> str | None:
            return next((line for line in self.lines if all(word in line for word in words)), None)

        with self._came:
            assert self._came.wait_for(found, GENEROUS_SECONDS), self.lines
            return found() or ""

    def close(self) -> None:
        self.process.kill()
        self.process.wait(GENEROUS_SECONDS)
        self._reader.join(GENEROUS_SECONDS)
        self._out().close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def webhook() -> Iterator[Process]:
    receiver = Process(sys.executable, str(DEPLOY / "alertmanager" / "webhook.py"), "0")
    yield receiver
    receiver.close()


@pytest.fixture
def alertmanager(webhook: Process, tmp_path: Path) -> Iterator[str]:
    """The address of Alertmanager with our configuration, which posts to the example receiver at once."""
    config = yaml.safe_load((DEPLOY / "alertmanager" / "alertmanager.yml").read_text())
    port = json.loads(webhook.line("listening"))["port"]
    config["receivers"][0]["webhook_configs"][0]["url"] = f"http://127.0.0.1:{port}/alerts"
    for route in (config["route"], *config["route"]["routes"]):
        route["group_wait"] = "0s"
    (tmp_path / "alertmanager.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    process = Process(
        "prometheus-alertmanager",
        f"--config.file={tmp_path}/alertmanager.yml",
        f"--storage.path={tmp_path}/alertmanager",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    process.line("Listening on")
    yield address
    process.close()


def send(alertmanager: str, *alerts: dict[str, str]) -> None:
    body = [{"labels": labels, "annotations": {"summary": "a test"}} for labels in alerts]
    request = urllib.request.Request(
        f"http://{alertmanager}/api/v2/alerts", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=GENEROUS_SECONDS) as reply:
        assert reply.status == 200


def states(alertmanager: str) -> dict[tuple[str, ...], str]:
    """Each alert's name, severity and instance, and whether it is active or suppressed."""
    with urllib.request.urlopen(f"http://{alertmanager}/api/v2/alerts", timeout=GENEROUS_SECONDS) as reply:
        alerts: list[dict[str, Any]] = json.load(reply)
    names = ("alertname", "severity", "instance")
    return {tuple(alert["labels"].get(name, "") for name in names): alert["status"]["state"] for alert in alerts}


def test_a_server_that_is_gone_reaches_the_webhook(webhook: Process, alertmanager: str, tmp_path: Path) -> None:
    config = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text())
    config["global"]["evaluation_interval"] = "1s"
    (server,) = [job for job in config["scrape_configs"] if job["job_name"] == "phonoscope"]
    server |= {"scrape_interval": "1s", "static_configs": [{"targets": [f"127.0.0.1:{free_port()}"]}]}
    config["scrape_configs"] = [server]
    config["alerting"]["alertmanagers"] = [{"static_configs": [{"targets": [alertmanager]}]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    (tmp_path / "rules").mkdir()
    for file in (DEPLOY / "prometheus" / "rules").glob("*.yml"):
        rules = yaml.safe_load(file.read_text())
        for group in rules["groups"]:
            for rule in group["rules"]:
                rule.pop("for", None)
        (tmp_path / "rules" / file.name).write_text(yaml.safe_dump(rules))
    prometheus = Process(
        "prometheus",
        f"--config.file={tmp_path}/prometheus.yml",
        f"--storage.tsdb.path={tmp_path}/data",
        f"--web.listen-address=127.0.0.1:{free_port()}",
        "--enable-feature=exemplar-storage",
    )
    try:
        alert = json.loads(webhook.line("PhonoscopeServerDown", "does not respond", "instance"))
    finally:
        prometheus.close()
    assert alert["status"] == "firing"
    assert alert["severity"] == "critical"
    assert alert["instance"] == server["static_configs"][0]["targets"][0]
    assert alert["runbook_url"] == "docs/runbooks/PhonoscopeServerDown.md"
    assert alert["dashboard_url"] == "http://localhost:3000/d/phonoscope-overview"
    assert "grafana_url" not in alert
    assert not [line for line in prometheus.lines if "level=error" in line or "level=warn" in line]


def test_a_server_that_is_gone_silences_its_own_other_alerts_only(webhook: Process, alertmanager: str) -> None:
    send(alertmanager, GONE)
    webhook.line("PhonoscopeServerDown")
    send(alertmanager, FULL | {"instance": "a:9464"}, FULL | {"instance": "b:9464"})
    webhook.line("PhonoscopeQueueSaturated", "b:9464")
    assert states(alertmanager) == {
        ("PhonoscopeServerDown", "critical", "a:9464"): "active",
        ("PhonoscopeQueueSaturated", "warning", "a:9464"): "suppressed",
        ("PhonoscopeQueueSaturated", "warning", "b:9464"): "active",
    }
    assert not [line for line in webhook.lines if "PhonoscopeQueueSaturated" in line and "a:9464" in line]


def test_a_critical_alert_silences_its_own_warning_only(webhook: Process, alertmanager: str) -> None:
    send(alertmanager, BURNS | {"severity": "critical"})
    webhook.line("PhonoscopeErrorBudgetBurn", "critical")
    send(alertmanager, BURNS | {"severity": "warning"}, FULL | {"instance": "b:9464"})
    webhook.line("PhonoscopeQueueSaturated")
    assert states(alertmanager) == {
        ("PhonoscopeErrorBudgetBurn", "critical", ""): "active",
        ("PhonoscopeErrorBudgetBurn", "warning", ""): "suppressed",
        ("PhonoscopeQueueSaturated", "warning", "b:9464"): "active",
    }


def test_what_is_not_a_message_of_alertmanager_is_refused(webhook: Process) -> None:
    port = json.loads(webhook.line("listening"))["port"]
    request = urllib.request.Request(f"http://127.0.0.1:{port}/alerts", b"hello")
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(request, timeout=GENEROUS_SECONDS)
    with refusal.value as reply:
        assert reply.status == 400
