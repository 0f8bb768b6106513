from __future__ import annotations

import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from server.cli import main
from server.settings import TABLE
from tests.server.logging_state import restored


def run(*arguments: str) -> int:
    """The command in this process; its exit code."""
    with pytest.raises(SystemExit) as end:
        main(arguments)
    return int(end.value.code or 0)


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "data"
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(folder))
    return folder


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--http-port", "x"], "http_port = 'x' (flag --http-port): give a whole number from 0 to 65535"),
        (["serve", "--pack", ".."], "pack = '..' (flag --pack): give a name"),
        (["settings", "--config", "none.toml"], "none.toml: there is no such settings file"),
        (["nonsense"], "No such command 'nonsense'."),
        (["--nonsense"], "No such option '--nonsense'."),
        (["serve", "--join-token", "x" * 20], "No such option '--join-token'."),
        (["serve", "extra"], "Got unexpected extra argument (extra)"),
        (["models", "pull", "buffalo_l"], "visavis: "),
        (["certificate", "export", "/proc/none/ca.crt"], "/proc/none/ca.crt"),
        (["serve", "--pack", "none", "--http-port", "0", "--no-lan"], "none"),
    ],
)
def test_what_a_person_gets_wrong_is_one_line_and_exit_code_1(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(*arguments) == 1
    errors = capsys.readouterr().err
    assert errors.count("\n") == 1
    assert errors.startswith("visavis: ")
    assert message in errors


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    with restored():
        yield


def test_a_busy_port_is_said_before_anything_slow_happens(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        assert run("--http-port", str(port)) == 1
    out, errors = capsys.readouterr()
    assert errors == (f"visavis: http_port = {port}: another program has that port; choose another with --http-port\n")
    assert out == ""


def test_settings_are_printed_with_their_origin(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISAVIS_MASTER_KEY", "a-very-long-secret")
    monkeypatch.setenv("VISAVIS_HTTP_PROT", "1")
    assert run("settings", "--max-sessions", "3") == 0
    out, errors = capsys.readouterr()
    assert re.search(r"^max_sessions +3 +flag --max-sessions$", out, re.MULTILINE)
    assert re.search(r"^http_port +8000 +default$", out, re.MULTILINE)
    assert re.search(r"^master_key +\(set\) +environment VISAVIS_MASTER_KEY$", out, re.MULTILINE)
    assert "a-very-long-secret" not in out + errors
    assert "did you mean VISAVIS_HTTP_PORT?" in errors


def test_settings_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("settings", "--json", "--no-lan") == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in rows] == [row.name for row in TABLE]
    assert {"name": "lan", "value": "false", "origin": "flag --no-lan"} in rows


def test_the_certificate_commands(data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("certificate") == 0
    shown = re.search(r"SHA-256: +(\S+)", capsys.readouterr().out)
    assert shown
    assert run("certificate", "export", str(tmp_path / "ca.crt")) == 0
    exported = (tmp_path / "ca.crt").read_bytes()
    assert b"PRIVATE" not in exported
    from cryptography.hazmat.primitives.hashes import SHA256

    assert x509.load_pem_x509_certificate(exported).fingerprint(SHA256()).hex(":").upper() == shown[1]
    before = (data_dir / "tls" / "server.pem").read_bytes()
    capsys.readouterr()
    assert run("certificate", "renew") == 0
    assert shown[1] in capsys.readouterr().out
    assert (data_dir / "tls" / "server.pem").read_bytes() != before
    assert run("certificate", "renew", "--authority") == 0
    assert shown[1] not in capsys.readouterr().out


def test_a_damaged_authority_can_be_renewed(data_dir: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = data_dir / "tls" / "authority.pem"
    path.parent.mkdir(parents=True)
    path.write_text("nonsense")
    assert run("certificate") == 1
    assert "renew --authority" in capsys.readouterr().err
    assert run("certificate", "renew", "--authority") == 0


def test_mounted_commands_take_their_defaults_from_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VISAVIS_MODELS_DIR", str(tmp_path / "packs"))
    assert run("models", "list", "--json") == 0
    rows = json.loads(capsys.readouterr().out)
    assert {row["folder"] for row in rows} == {str(tmp_path / "packs" / row["name"]) for row in rows}


def test_without_opencvs_libraries_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(_name: str) -> None:
        raise ImportError("libGL.so.1: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("server.cli.importlib.import_module", broken)
    assert run("evaluate", "pairs") == 1
    assert "apt-get install libgl1 libglib2.0-0" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="signals are sent as on POSIX systems")
@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_server_starts_says_where_to_go_and_ends_cleanly(end: signal.Signals, data_dir: Path) -> None:
    ports = ["--http-port", "0", "--https-port", "0", "--trust-port", "0"]
    environ = {**os.environ, "VISAVIS_LOG_LEVEL": "debug"}
    command = [sys.executable, "-m", "server", *ports]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            said = ""
            assert process.stdout is not None
            while "Ctrl-C ends" not in said:
                line = process.stdout.readline()
                assert line, said
                said += line
            local = re.search(r"http://localhost:\d+", said)
            lan = re.search(r"https://\S+:(\d+)/join/\S+", said)
            assert local
            assert lan
            owner = re.search(rf"{local[0]}/own/(\S{{43}})$", said, re.MULTILINE)
            assert owner
            with urllib.request.urlopen(f"{local[0]}/healthz", timeout=5) as answer:
                assert json.load(answer) == {"status": "ok"}
            trusted = ssl.create_default_context(cafile=str(data_dir / "tls" / "authority.pem"))
            with pytest.raises(urllib.error.HTTPError, match="401"):
                urllib.request.urlopen(f"https://127.0.0.1:{lan[1]}/api/v1/config", timeout=5, context=trusted)
            process.send_signal(end)
            started = time.monotonic()
            rest, errors = process.communicate(timeout=10)
            assert time.monotonic() - started < 3
            assert process.returncode == 0, errors
            assert "Traceback" not in errors
            assert owner[1] not in errors
            assert "Visavis has ended." in rest
        finally:
            process.kill()
