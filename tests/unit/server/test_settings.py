"""The server's settings; how they are read is tested with common/settings.py."""

import pytest

from phonoscope.common.errors import SettingsError
from phonoscope.server.settings import ServerSettings


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for field in ServerSettings.model_fields:
        monkeypatch.delenv(f"PHONOSCOPE_{field.upper()}", raising=False)
    for variable in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(variable, raising=False)


def test_help_shows_every_setting_with_what_it_means_and_its_default(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        ServerSettings.from_arguments(["--help"])
    told = "".join(capsys.readouterr().out.split())
    assert told.startswith("usage:phonoscopeserve")
    for name, field in ServerSettings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in told
        assert field.description, f"{name} has no description"
        assert "".join(f"{field.description} (default: {field.default})".split()) in told


def test_the_defaults_are_kind_to_a_laptop() -> None:
    settings = ServerSettings.from_arguments([])
    assert (settings.host, settings.port, settings.metrics_port) == ("127.0.0.1", 50051, 9464)
    assert settings.device == "auto"
    assert settings.max_text_characters == 10_000
    assert (settings.otlp_endpoint, settings.trace_sample_ratio, settings.revision) == ("", 1.0, "unknown")


@pytest.mark.parametrize(
    ("flag", "value"),
    [
        ("port", "65536"),
        ("metrics-port", "-1"),
        ("threads", "-1"),
        ("max-text-characters", "0"),
        ("max-requests", "0"),
        ("max-audio-seconds-owed", "0"),
        ("max-audio-seconds-owed", "inf"),
        ("drain-seconds", "-1"),
        ("drain-seconds", "nan"),
        ("stop-seconds", "inf"),
        ("trace-sample-ratio", "1.01"),
        ("trace-sample-ratio", "-0.01"),
        ("trace-sample-ratio", "nan"),
        ("log-format", "xml"),
        ("log-level", "loud"),
    ],
)
def test_values_out_of_range_are_refused_by_name(flag: str, value: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{flag.replace('-', '_')}="):
        ServerSettings.from_arguments([f"--{flag}={value}"])


def test_named_voices_are_apart_by_commas() -> None:
    assert ServerSettings(voices=" a, b ,,c ").voice_names == ("a", "b", "c")
    assert ServerSettings(voices="").voice_names == ()


def test_the_endpoint_of_traces_may_come_from_the_variables_that_opentelemetry_shares(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://all:4317")
    assert ServerSettings.from_arguments([]).otlp_endpoint == "http://all:4317"
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://traces:4317")
    assert ServerSettings.from_arguments([]).otlp_endpoint == "http://traces:4317"
    monkeypatch.setenv("PHONOSCOPE_OTLP_ENDPOINT", "http://ours:4317")
    assert ServerSettings.from_arguments([]).otlp_endpoint == "http://ours:4317"
    assert ServerSettings.from_arguments(["--otlp-endpoint", "http://flag:4317"]).otlp_endpoint == "http://flag:4317"


def test_aliases_are_read_as_names_and_voices() -> None:
    settings = ServerSettings(voice_aliases=" female1 = choir:anna , male1=joe,,")
    assert settings.voice_alias_names == {"female1": "choir:anna", "male1": "joe"}
    assert ServerSettings().voice_alias_names == {}


@pytest.mark.parametrize(
    ("aliases", "message"),
    [
        ("female1", "'female1' is not NAME=VOICE"),
        ("=joe", "'=joe' is not"),
        ("a=", "'a=' is not"),
        ("a=b,a=c", "'a' occurs twice"),
    ],
)
def test_aliases_of_another_form_are_refused(aliases: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        _ = ServerSettings(voice_aliases=aliases).voice_alias_names
