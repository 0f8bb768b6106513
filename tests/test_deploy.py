"""What docs/deploy/ says is true: settings, ports, paths and commands in it are the product's own."""

from __future__ import annotations

import configparser
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.cli import cli
from server.settings import PREFIX, ROWS, TABLE, configure
from tests.packs import models_folder
from tests.server.test_doctor import free_range

ROOT = Path(__file__).resolve().parents[1]
DEPLOY = ROOT / "docs/deploy"
DOCKERFILES = ("Dockerfile", "Dockerfile.cuda")
COMPOSE = ("compose.yml", "compose.postgres.yml")
# Settings of several machines, which another part of the product brings.
KNOWN = {row.variable for row in TABLE} | {f"{PREFIX}CONFIG"}
EXAMPLE = dict(
    line.split("=", 1) for line in (DEPLOY / "site.env.example").read_text("utf-8").splitlines() if line[:1].isalpha()
)


def text(name: str) -> str:
    return (DEPLOY / name).read_text("utf-8")


def filled(value: Any) -> str:
    """With what stands in the example of the environment."""
    return re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", lambda match: EXAMPLE[match[1]], str(value))


def compose(name: str) -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load(text(name))
    return read


def visavis_services(name: str) -> dict[str, dict[str, Any]]:
    return {key: one for key, one in compose(name)["services"].items() if "Dockerfile" in str(one.get("build"))}


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_every_variable_is_a_setting(path: Path) -> None:
    assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", path.read_text("utf-8"))) <= KNOWN


@pytest.mark.parametrize("name", COMPOSE)
def test_settings_of_a_service_can_be_read_and_go_together(name: str, tmp_path: Path) -> None:
    services = visavis_services(name)
    assert services
    for service in services.values():
        environ = {key: filled(value) for key, value in service["environment"].items()}
        if environ.pop("VISAVIS_CONFIG", None):  # a secret that is made on the computer it runs on
            environ["VISAVIS_DATABASE"] = "postgresql+psycopg://visavis:made-there@postgres/visavis"
        found = configure({"data_dir": tmp_path}, environ)
        assert found.remarks == ()
        assert found.settings.http_address == "0.0.0.0"


@pytest.mark.parametrize("name", COMPOSE)
def test_ports_of_the_video_are_published_one_to_one_and_are_nobody_elses(name: str) -> None:
    taken: list[str] = []
    for service in visavis_services(name).values():
        udp = service["environment"]["VISAVIS_UDP_PORTS"]
        assert f"{udp}:{udp}/udp" in service["ports"]
        assert not any(port.endswith("/tcp") for port in service["ports"])  # the proxy alone is open
        first, last = map(int, udp.split("-"))
        settings = configure({}, {})
        assert last - first + 1 >= settings.settings.max_sessions + settings.settings.max_viewers
        taken += [str(number) for number in range(first, last + 1)]
    assert len(taken) == len(set(taken))


@pytest.mark.parametrize("name", COMPOSE)
def test_the_proxy_that_is_trusted_is_the_one_that_is_there(name: str) -> None:
    read = compose(name)
    addresses = {key: one["networks"]["inside"]["ipv4_address"] for key, one in read["services"].items()}
    nodes = visavis_services(name)
    for key, service in nodes.items():
        trusted = service["environment"]["VISAVIS_TRUSTED_PROXIES"].split(",")
        assert addresses["proxy"] in trusted
        others = {addresses[other] for other in nodes if len(nodes) > 1}
        assert set(trusted) == {addresses["proxy"]} | others
        if "VISAVIS_NODE_URL" in service["environment"]:
            assert service["environment"]["VISAVIS_NODE_URL"] == f"http://{addresses[key]}:8000"
    upstreams = read["services"]["proxy"]["environment"]["SITE_NODES"].split()
    assert upstreams == [f"{key}:{ROWS['http_port'].shown}" for key in nodes]


@pytest.mark.parametrize("name", COMPOSE)
def test_secrets_are_files_and_stand_in_no_environment(name: str) -> None:
    read = compose(name)
    for service in read["services"].values():
        assert set(service.get("secrets", ())) <= set(read["secrets"])
        for variable, value in service.get("environment", {}).items():
            row = next((row for row in TABLE if row.variable == variable), None)
            assert row is None or not row.secret, variable
            if str(value).startswith("/run/secrets/"):
                assert value.removeprefix("/run/secrets/") in service["secrets"]
    volumes = {volume.partition(":")[0] for one in read["services"].values() for volume in one.get("volumes", ())}
    assert {volume for volume in volumes if not volume.startswith("./")} == set(read["volumes"])


@pytest.mark.parametrize("name", COMPOSE)
def test_containers_have_no_more_rights_than_they_need(name: str) -> None:
    for service in visavis_services(name).values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "no-new-privileges:true" in service["security_opt"]
        assert any(volume.endswith(":/data") for volume in service["volumes"])
        assert "privileged" not in service


def instructions(name: str) -> list[tuple[str, str]]:
    """Of a Dockerfile, comments left out and lines joined."""
    lines = "\n".join(line for line in text(name).splitlines() if not line.startswith("#"))
    joined = re.sub(r"\\\n\s*", " ", lines)
    return [
        (word, rest.strip()) for line in joined.splitlines() if line.strip() for word, _, rest in [line.partition(" ")]
    ]


@pytest.mark.parametrize("name", DOCKERFILES)
def test_an_image_is_complete_and_runs_as_nobody_special(name: str) -> None:
    steps = instructions(name)
    last = steps[max(index for index, (word, _) in enumerate(steps) if word == "FROM") :]
    said = dict(last)
    assert said["USER"] == "10001:10001"
    assert said["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(said["ENTRYPOINT"]) == ["visavis"]
    assert all(command in cli.list_commands(None) for command in json.loads(said["CMD"]))  # type: ignore[arg-type]
    exposed = said["EXPOSE"].split()
    for setting in ("https_port", "trust_port", "http_port"):
        assert f"{ROWS[setting].shown}/tcp" in exposed
    assert f"{re.search(r'VISAVIS_UDP_PORTS=([0-9-]+)', said['ENV'])[1]}/udp" in exposed  # type: ignore[index]
    assert not any("pip install" in rest or "build-essential" in rest for _, rest in last)
    # What the wheel is made of is copied, and allowed past the ignore file.
    copied = {
        source.rstrip("/")
        for word, rest in steps
        if word == "COPY" and "--from" not in rest
        for source in rest.split()[:-1]
    }
    ignored = text(f"{name}.dockerignore")
    project = (ROOT / "pyproject.toml").read_text("utf-8")
    packages = re.search(r"^packages = (\[\"server\".*\])$", project, re.MULTILINE)
    assert packages
    assert {*json.loads(packages[1]), "static", "pyproject.toml", "README.md", "LICENSE"} == copied
    for source in copied:
        assert (ROOT / source).exists()
        assert re.search(rf"^!{re.escape(source)}/?$", ignored, re.MULTILINE), source


def health_command(name: str) -> list[str]:
    steps = dict(instructions(name))
    command: list[str] = json.loads(steps["HEALTHCHECK"].partition("CMD ")[2])
    assert command[0] == "python"
    return [sys.executable, *command[1:]]


def test_the_wheel_holds_what_the_image_copies(tmp_path: Path) -> None:
    """Built from nothing but what the ignore file lets through."""
    source = tmp_path / "source"
    source.mkdir()
    for word, rest in instructions("Dockerfile"):
        if word == "COPY" and "--from" not in rest:
            for name in rest.split()[:-1]:
                path = ROOT / name.rstrip("/")
                if path.is_dir():
                    shutil.copytree(path, source / path.name, ignore=shutil.ignore_patterns("__pycache__"))
                else:
                    shutil.copy(path, source)
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        str(tmp_path),
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("visavis-*.whl")
    held = zipfile.ZipFile(wheel).namelist()
    for needed in (
        "server/static/index.html",
        "server/trust_page.html",
        "models/packs/open.toml",
        "server/doctor/ports.py",
    ):
        assert needed in held
    assert not any(name.startswith(("docs/", "tests/")) for name in held)


@pytest.mark.parametrize("name", DOCKERFILES)
def test_the_health_check_tells_a_running_server_from_none(name: str, tmp_path: Path) -> None:
    port = free_range(1)
    environ = {**os.environ, "VISAVIS_HTTP_PORT": str(port)}
    assert subprocess.run(health_command(name), env=environ, capture_output=True, check=False).returncode == 1
    flags = [
        "--no-lan",
        "--http-port",
        str(port),
        "--data-dir",
        str(tmp_path / "data"),
        "--models-dir",
        str(models_folder()),
    ]
    # As in the compose file, but for the proxy's address.
    flags += ["--http-address", "0.0.0.0", "--trusted-proxies", "172.30.77.2"]
    with subprocess.Popen(
        [sys.executable, "-m", "server", "serve", *flags], cwd=ROOT, stdout=subprocess.PIPE
    ) as server:
        try:
            until = time.monotonic() + 30
            while code := subprocess.run(
                health_command(name), env=environ, capture_output=True, check=False
            ).returncode:
                assert time.monotonic() < until
                assert server.poll() is None
                time.sleep(0.2)
            assert code == 0
            server.send_signal(signal.SIGTERM)
            assert server.wait(20) == 0
        finally:
            server.kill()


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(strict=False, interpolation=None, comment_prefixes=("#",), delimiters=("=",))
    read.optionxform = str  # type: ignore[assignment,method-assign]
    read.read_string(text(name))
    return read


def test_the_service_is_bounded_and_its_commands_are_ours() -> None:
    service = unit("visavis.service")["Service"]
    words = shlex.split(service["ExecStart"])
    assert (Path(words[0]).name, words[1] in cli.list_commands(None)) == ("visavis", True)  # type: ignore[arg-type]
    for name, value in (("NoNewPrivileges", "yes"), ("ProtectSystem", "strict"), ("Restart", "on-failure")):
        assert service[name] == value
    assert "MemoryMax" in service
    assert int(service["TimeoutStopSec"]) >= 60
    backup = unit("visavis-backup.service")["Service"]
    assert "visavis backup --replace" in backup["ExecStart"]
    assert backup["User"] == service["User"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
@pytest.mark.parametrize("name", ["visavis.service", "visavis-backup.service", "visavis-backup.timer"])
def test_systemd_takes_the_units(name: str) -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", str(DEPLOY / name)], capture_output=True, text=True, check=False
    )
    wrong = [line for line in done.stderr.splitlines() if "/opt/visavis/bin/visavis is not executable" not in line]
    assert [line for line in wrong if "visavis" in line] == []
