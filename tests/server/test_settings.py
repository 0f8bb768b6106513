from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.settings import ROWS, TABLE, Settings, SettingsError, configure


def test_defaults_alone() -> None:
    configuration = configure({}, {})
    assert configuration.settings.http_port == 8000
    assert configuration.settings.pack == "open"
    assert configuration.settings.udp_ports is None
    assert configuration.settings.ice_servers == ()
    assert set(configuration.origins.values()) == {"default"}
    assert configuration.remarks == ()


def test_flag_wins_over_environment_over_file_over_default(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('http_port = 1001\nhttps_port = 1002\nmax_sessions = 3\nlan = false\nice_servers = ["stun:a:1"]\n')
    environ = {"VISAVIS_HTTP_PORT": "2001", "VISAVIS_HTTPS_PORT": "2002"}
    found = configure({"http_port": "3001", "https_port": None}, environ, file)
    assert (found.settings.http_port, found.origins["http_port"]) == (3001, "flag --http-port")
    assert (found.settings.https_port, found.origins["https_port"]) == (2002, "environment VISAVIS_HTTPS_PORT")
    assert (found.settings.max_sessions, found.origins["max_sessions"]) == (3, f"file {file}")
    assert found.settings.lan is False
    assert found.settings.ice_servers == ("stun:a:1",)
    assert found.origins["trust_port"] == "default"


def test_the_users_file_is_read_when_there_is_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "settings"
    monkeypatch.setattr("server.settings.user_config_path", lambda *_a, **_k: folder)
    assert configure({}, {}).settings.http_port == 8000
    folder.mkdir()
    (folder / "visavis.toml").write_text("http_port = 1234")
    assert configure({}, {}).settings.http_port == 1234


def test_the_environment_can_name_the_file(tmp_path: Path) -> None:
    file = tmp_path / "x.toml"
    file.write_text("http_port = 1234")
    assert configure({}, {"VISAVIS_CONFIG": str(file)}).settings.http_port == 1234


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("lan", "off", False),
        ("lan", "True", True),
        ("udp_ports", "10000-10100", (10000, 10100)),
        ("udp_ports", "", None),
        ("host_names", " Cam.Example.org , b ", ("cam.example.org", "b")),
        ("bind_addresses", "192.168.1.5,FD00::1", ("192.168.1.5", "fd00::1")),
        ("ice_servers", "stun:stun.example.org:3478", ("stun:stun.example.org:3478",)),
        ("ice_servers", "STUN:Stun.example.org", ("stun:stun.example.org",)),
        ("keyframe_interval", "0.25", 0.25),
        ("provider", "CUDA", "cuda"),
        ("session_days", "0.5", 0.5),
    ],
)
def test_values_as_text(name: str, text: str, value: object) -> None:
    assert getattr(configure({}, {f"VISAVIS_{name.upper()}": text}).settings, name) == value


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("http_port", "70000", "give a whole number from 0 to 65535"),
        ("http_port", "eight", "give a whole number"),
        ("http_port", "", "give a whole number"),
        ("lan", "maybe", "say true or false"),
        ("max_sessions", "-1", "from 0 to 10000"),
        ("keyframe_interval", "nan", "give a number from 0.05 to 10"),
        ("detect_size", "333", "multiple of 32"),
        ("provider", "tpu", "say one of auto, cpu, cuda, coreml, openvino"),
        ("pack", "../../etc", "give a name"),
        ("udp_ports", "100-200", "such as 10000-10100"),
        ("udp_ports", "20000-10000", "such as 10000-10100"),
        ("udp_ports", "10000", "such as 10000-10100"),
        ("host_names", "a_b", "'a_b' is no host name"),
        ("host_names", "x" * 64, "is no host name"),
        ("bind_addresses", "192.168.1.300", "'192.168.1.300' is no IP address"),
        ("ice_servers", "http://a", "is not of the form stun:HOST:PORT"),
        ("ice_servers", "stun:a:99999", "is not of the form"),
        ("ice_servers", "stun:[fd00::1]:3478", "name the server by a host name"),
        ("ice_servers", "turns:a?transport=udp", "turns goes over TCP"),
        ("ice_servers", "stun:a,stun:b", "one STUN server at most"),
        ("data_dir", "", "name a folder"),
        ("data_dir", __file__, "that is a file"),
        ("log_level", "loud", "say one of"),
    ],
)
def test_a_wrong_value_is_named_with_its_origin_and_what_would_be_right(name: str, text: str, advice: str) -> None:
    variable = f"VISAVIS_{name.upper()}"
    with pytest.raises(SettingsError) as error:
        configure({}, {variable: text})
    message = str(error.value)
    assert message.startswith(f"{name} = {text!r} (environment {variable}): ")
    assert advice in message
    assert "\n" not in message


def test_a_secret_is_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "visavis.toml"
    file.write_text("turn_password = 4711\n")
    with pytest.raises(SettingsError) as error:
        configure({}, {}, file)
    assert "4711" not in str(error.value)
    assert "(hidden)" in str(error.value)
    found = configure({}, {"VISAVIS_MASTER_KEY": "a-very-long-secret"})
    assert found.shown("master_key") == "(set)"
    assert configure({}, {}).shown("master_key") == ""
    assert all(row.flag is None for row in TABLE if row.secret)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("http_prot = 1", "there is no setting 'http_prot'; did you mean http_port?"),
        ("http_port = 'x", "mine.toml: "),
        ("http_port = true", "give a whole number"),
        ("http_port = 80.5", "give a whole number"),
        ("lan = 'often'", "say true or false"),
        ("host_names = 5", "give a list"),
        ("pack = 5", "write it as text"),
        ("[server]\nhttp_port = 1", "there is no setting 'server'"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    with pytest.raises(SettingsError) as error:
        configure({}, {}, file)
    assert message in str(error.value)
    assert str(file) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such settings file"):
        configure({}, {}, tmp_path / "none.toml")
    with pytest.raises(SettingsError):
        configure({}, {}, tmp_path)


def test_values_that_cannot_go_together() -> None:
    with pytest.raises(
        SettingsError, match=r"https_port = 8000 \(flag --https-port\): http_port has that port \(default\)"
    ):
        configure({"https_port": "8000"}, {})
    assert configure({"https_port": "8000", "lan": False}, {}).settings.https_port == 8000
    assert configure({"http_port": "0", "https_port": "0"}, {}).settings.https_port == 0  # each takes a free one
    with pytest.raises(SettingsError, match="turn_username is empty"):
        configure({"ice_servers": "turn:t.example.org"}, {})
    with pytest.raises(SettingsError, match=r"turn_password .* has no use"):
        configure({}, {"VISAVIS_TURN_PASSWORD": "x"})


def test_a_misspelt_variable_is_remarked() -> None:
    assert configure({}, {"VISAVIS_HTTP_PROT": "1"}).remarks == (
        "VISAVIS_HTTP_PROT is set but is no setting; did you mean VISAVIS_HTTP_PORT?",
    )


@given(st.sampled_from(sorted(ROWS)), st.text(max_size=40))
def test_no_text_gets_past_the_checks_but_as_a_value_or_a_settings_error(name: str, text: str) -> None:
    try:
        found = configure({}, {f"VISAVIS_{name.upper()}": text})
    except SettingsError:
        return
    again = {f"VISAVIS_{name.upper()}": ROWS[name].kind.show(getattr(found.settings, name))}
    assert getattr(configure({}, again).settings, name) == getattr(found.settings, name)


def test_settings_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Settings().http_port = 1  # type: ignore[misc]
