"""The gateway's settings: flags and variables, strict."""

import pytest

from phonoscope.common.errors import SettingsError
from phonoscope.gateway.settings import GatewaySettings


def test_lists_and_aliases():
    settings = GatewaySettings(api_keys="a, b,", openai_voices="nova = joe:1, alloy", openai_models="x,y")
    assert settings.keys == ("a", "b")
    assert settings.voice_aliases == {"nova": "joe:1", "alloy": ""}
    assert settings.models == ("x", "y")
    assert settings.origins == ()


def test_an_alias_without_a_name_is_rejected():
    with pytest.raises(SettingsError, match="has no name; write NAME=VOICE"):
        _ = GatewaySettings(openai_voices="=joe").voice_aliases


def test_keys_are_not_shown():
    assert "secret" not in repr(GatewaySettings(api_keys="secret"))


def test_variables_have_their_own_prefix_and_the_servers_are_ignored(monkeypatch):
    monkeypatch.setenv("PHONOSCOPE_GATEWAY_PORT", "1234")
    monkeypatch.setenv("PHONOSCOPE_VOICES_DIR", "/elsewhere")
    assert GatewaySettings.from_arguments([]).port == 1234


def test_an_unknown_variable_is_rejected_with_the_valid_ones(monkeypatch):
    monkeypatch.setenv("PHONOSCOPE_GATEWAY_PROT", "1234")
    with pytest.raises(SettingsError, match=r"unknown.*PHONOSCOPE_GATEWAY_PROT; valid: .*PHONOSCOPE_GATEWAY_PORT"):
        GatewaySettings.from_arguments([])


def test_a_file_is_read_and_its_unknown_keys_are_rejected(monkeypatch, tmp_path):
    file = tmp_path / "gateway.toml"
    file.write_text("port = 4321\n")
    monkeypatch.setenv("PHONOSCOPE_GATEWAY_CONFIG", str(file))
    assert GatewaySettings.from_arguments([]).port == 4321
    file.write_text("prot = 4321\n")
    with pytest.raises(SettingsError, match="unknown setting prot; valid: api_keys"):
        GatewaySettings.from_arguments([])
