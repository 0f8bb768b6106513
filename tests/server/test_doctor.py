"""``visavis doctor``: each check against a situation that is broken for real, and against one that is not."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from server import lan
from server.certificates import (
    CertificateStore,
    certificate_names,
    make_server_certificate,
    renew_authority,
    tls_folder,
)
from server.certificates import _key_pem as key_pem
from server.cli import cli
from server.doctor import asking
from server.doctor.computer import clock, codecs, memory, packages
from server.doctor.configured import configured
from server.doctor.database import database
from server.doctor.examining import Group, examine, within
from server.doctor.finding import Check, Finding, Patient
from server.doctor.kept import disk, in_use, kept, rights
from server.doctor.networks import networks
from server.doctor.ports import firewall, port, ports, udp_ports
from server.doctor.trust import camera, certificate, page
from server.doctor.video import addresses, flow, in_container, video
from server.settings import configure
from server.storage import PeopleStore
from server.transport import TransportOptions, uninstall
from server.vault import MasterSource
from server.vault.lock import FolderLock
from tests.packs import models_folder
from tests.server.whole import seed, serving_all
from tests.stores import postgres

LOOPBACK = TransportOptions(bind_addresses=("127.0.0.1",))


def patient(folder: Path, environ: dict[str, str] | None = None, **flags: Any) -> Patient:
    ours = {"data_dir": folder, "models_dir": models_folder(), "http_port": 0, "https_port": 0, "trust_port": 0}
    return Patient(configure({**ours, **flags}, environ or {}))


def verdicts(findings: Iterator[Finding]) -> dict[str, str]:
    """By check; the worst where one says several things."""
    order = ("good", "worth a look", "broken")
    found: dict[str, str] = {}
    for finding in findings:
        found[finding.check] = max(found.get(finding.check, "good"), finding.verdict, key=order.index)
    return found


@pytest.fixture(autouse=True)
def stock_transport() -> Iterator[None]:
    yield
    uninstall()


@pytest.fixture
def people(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    seed(folder, "Ada", "Grace")
    return folder


@pytest.mark.parametrize(("verdict", "cure"), [("good", "do this"), ("broken", ""), ("worth a look", "")])
def test_what_is_not_good_has_a_cure_and_nothing_else_has(verdict: Any, cure: str) -> None:
    with pytest.raises(ValueError):
        Finding("check", verdict, "what", cure)


# -- the computer ------------------------------------------------------------------------------------------------------


def test_packages_that_are_missing_or_too_old_are_named() -> None:
    assert verdicts(packages()) == {"packages": "good"}
    (found,) = packages("no-such-distribution")
    assert (found.verdict, sys.executable in found.cure) == ("worth a look", True)


def test_versions_are_compared_as_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.doctor.computer.requires", lambda _: ["aiohttp>=3.9999", "numpy>=2", "no-such<2,>=1"])
    (found,) = packages()
    assert found.verdict == "broken"
    assert "aiohttp" in found.what
    assert "no-such is missing" in found.what
    assert "numpy" not in found.what


@pytest.mark.parametrize(
    ("free", "limit", "used", "verdict"),
    [
        (8 << 20, "max", "0", "good"),
        (900_000, "max", "0", "worth a look"),
        (8 << 20, str(1 << 30), str(512 << 20), "worth a look"),
        (8 << 20, str(4 << 30), str(1 << 30), "good"),
    ],
)
def test_memory_is_what_the_container_leaves(tmp_path: Path, free: int, limit: str, used: str, verdict: str) -> None:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {free} kB\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text(f"{limit}\n")
    (tmp_path / "sys/fs/cgroup/memory.current").write_text(f"{used}\n")
    assert verdicts(memory(tmp_path)) == {"memory": verdict}


def test_a_clock_that_was_set_back_is_noticed_by_files(tmp_path: Path) -> None:
    file = tmp_path / "people.sqlite3"
    file.touch()
    now = time.time()
    os.utime(file, (now + 86_400, now + 86_400))
    assert verdicts(clock(tmp_path, now)) == {"clock": "broken"}
    assert verdicts(clock(tmp_path, now + 86_400)) != {"clock": "broken"}


def test_codecs_that_are_not_there_are_named() -> None:
    assert verdicts(codecs()) == {"codecs": "good"}
    (found,) = codecs((("vp8", "r"), ("no-codec", "w")))
    assert (found.verdict, "no-codec (encoder)" in found.what) == ("broken", True)


# -- settings ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flags", "check"),
    [
        ({"advertised_addresses": "203.0.113.7"}, "advertised_addresses"),
        ({"host_names": "faces.example.org", "lan": False}, "host_names"),
        ({"trusted_proxies": "10.0.0.0/24", "lan": False}, "host_names"),
        ({"trusted_proxies": "10.0.0.0/24", "host_names": "faces.example.org"}, "lan"),
        ({"local_owner": True}, "local_owner"),
    ],
)
def test_settings_that_do_not_go_well_together(tmp_path: Path, flags: dict[str, Any], check: str) -> None:
    assert "worth a look" not in verdicts(configured(patient(tmp_path))).values()
    assert verdicts(configured(patient(tmp_path, **flags)))[check] == "worth a look"


def test_a_misspelt_variable_is_found(tmp_path: Path) -> None:
    odd = [f for f in configured(patient(tmp_path, {"VISAVIS_HTTP_PRT": "1"})) if f.check == "variables"]
    assert [(f.verdict, f.cure) for f in odd] == [("worth a look", "unset VISAVIS_HTTP_PRT")]


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_a_whole_folder_is_good_and_nothing_is_written(people: Path) -> None:
    before = {path.name: path.read_bytes() for path in people.iterdir()}
    found = verdicts(kept(patient(people)))
    assert found == {"disk": found["disk"], **dict.fromkeys(("rights", "use", "store", "keys"), "good")}
    after = {path.name: path.read_bytes() for path in people.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    assert after == {name: content for name, content in before.items() if not name.endswith(("-shm", "-wal"))}


def test_there_need_be_nothing_yet(tmp_path: Path) -> None:
    folder = tmp_path / "not" / "yet"
    assert verdicts(kept(patient(folder)))["data folder"] == "good"
    assert not folder.exists()


@pytest.mark.parametrize(("free", "verdict"), [(10 << 30, "good"), (1 << 30, "worth a look"), (5 << 20, "broken")])
def test_little_room_is_noticed(tmp_path: Path, free: int, verdict: str) -> None:
    assert verdicts(disk(tmp_path, free)) == {"disk": verdict}


def test_a_folder_others_may_look_into(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (found,) = rights(tmp_path)
    assert (found.verdict, found.cure) == ("worth a look", f"chmod 700 {tmp_path}")
    tmp_path.chmod(0o700)
    assert verdicts(rights(tmp_path)) == {"rights": "good"}


@pytest.mark.skipif(not hasattr(os, "getuid") or os.getuid() != 0, reason="only root can become somebody else")
def test_a_folder_this_user_cannot_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    code = (
        "import os, sys; from pathlib import Path; from server.doctor.kept import rights;"
        "os.setuid(65534); print([f.verdict for f in rights(Path(sys.argv[1]))])"
    )
    folder = Path("/tmp") / f"visavis-doctor-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        done = subprocess.run([sys.executable, "-c", code, str(folder)], capture_output=True, text=True, check=False)
    finally:
        folder.rmdir()
    assert done.stdout.strip() == "['broken']", done.stderr


def test_an_open_folder_is_told_from_one_that_is_not(people: Path) -> None:
    assert not in_use(people)
    with contextlib.closing(FolderLock(people)):
        assert in_use(people)
    assert not in_use(people)


def test_a_damaged_store(people: Path) -> None:
    file = people / "people.sqlite3"
    with contextlib.closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
    content = bytearray(file.read_bytes())
    content[4096:12288] = os.urandom(8192)
    file.write_bytes(content)
    assert verdicts(kept(patient(people)))["store"] == "broken"
    file.write_bytes(b"no database")
    assert verdicts(kept(patient(people)))["store"] == "broken"


@pytest.mark.parametrize(("revision", "verdict"), [("0012", "worth a look"), ("9999", "broken")])
def test_a_store_of_another_version(people: Path, revision: str, verdict: str) -> None:
    with contextlib.closing(sqlite3.connect(people / "people.sqlite3")) as database:
        database.execute("UPDATE alembic_version SET version_num = ?", [revision])
        database.commit()
    assert verdicts(kept(patient(people)))["store"] == verdict


def test_a_wrong_master_key_and_a_missing_keyring(people: Path) -> None:
    wrong = {"VISAVIS_MASTER_KEY": "A" * 43 + "="}
    assert verdicts(kept(patient(people, wrong)))["keys"] == "broken"
    assert verdicts(kept(patient(people, {"VISAVIS_MASTER_KEY": "short"})))["keys"] == "broken"
    (people / "master-key").chmod(0o644)
    assert verdicts(kept(patient(people)))["keys"] == "broken"
    (people / "master-key").chmod(0o600)
    assert verdicts(kept(patient(people)))["keys"] == "good"
    (people / "keyring.sqlite3").unlink()
    assert verdicts(kept(patient(people)))["keys"] == "broken"


def test_too_many_people_for_an_exact_search(people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("server.doctor.kept.find_spec", lambda _: None)
    assert "large gallery" not in verdicts(kept(patient(people)))
    with contextlib.closing(sqlite3.connect(people / "people.sqlite3")) as database:
        (count,) = database.execute("SELECT count(*) FROM person").fetchone()
    from server.doctor.kept import store

    assert verdicts(store(people / "people.sqlite3", count - 1))["large gallery"] == "broken"


# -- models ------------------------------------------------------------------------------------------------------------


def test_models_that_are_whole_missing_damaged_or_unknown(tmp_path: Path) -> None:
    assert verdicts(networks(patient(tmp_path))) == {"files": "good", "models": "good"}
    empty = tmp_path / "empty"
    (found,) = networks(patient(tmp_path, models_dir=empty))
    assert (found.verdict, found.cure) == ("worth a look", "visavis models build open")
    assert not empty.exists()
    damaged = tmp_path / "damaged"
    shutil.copytree(models_folder() / "open", damaged / "open")
    model = max((damaged / "open").glob("*.onnx"), key=lambda path: path.stat().st_size)
    model.write_bytes(model.read_bytes()[:1000])
    assert verdicts(networks(patient(tmp_path, models_dir=damaged))) == {"files": "broken"}
    assert verdicts(networks(patient(tmp_path, pack="nothing"))) == {"files": "broken"}
    (found,) = networks(patient(tmp_path, pack="buffalo_l", models_dir=empty))
    assert (found.verdict, found.cure) == ("broken", "visavis models pull buffalo_l --accept-license")


def test_a_provider_that_is_not_there(tmp_path: Path) -> None:
    found = {f.check: f for f in networks(patient(tmp_path, provider="coreml"))}
    assert found["models"].verdict == "broken"
    assert "CoreML" in found["models"].what


# -- ports -------------------------------------------------------------------------------------------------------------


def test_a_port_another_program_has() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        number = busy.getsockname()[1]
        found = port("http_port", number, "127.0.0.1", lambda: False)
        assert found.verdict == "broken"
        assert found.cure.startswith("visavis --http-port ")
    assert port("http_port", number, "127.0.0.1", lambda: False).verdict == "good"
    assert port("http_port", 8000, "192.0.2.77", lambda: False).verdict == "broken"  # no address of ours


def free_range(count: int) -> int:
    """The first of so many free UDP ports in a row."""
    for first in range(45_000, 60_000, count):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for number in range(first, first + count):
                sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                sock.bind(("127.0.0.1", number))
            return first
    raise AssertionError("no free ports")


@pytest.mark.parametrize(("count", "verdict"), [(4, "broken"), (20, "worth a look"), (60, "good")])
def test_a_range_that_is_too_small(tmp_path: Path, count: int, verdict: str) -> None:
    first = free_range(count)
    assert verdicts(udp_ports(patient(tmp_path, udp_ports=f"{first}-{first + count - 1}"))) == {"udp_ports": verdict}


def test_a_range_that_others_have(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as busy:
        busy.bind(("127.0.0.1", 0))
        number = busy.getsockname()[1]
        (found,) = udp_ports(patient(tmp_path, udp_ports=f"{number}-{number}", max_sessions=1, max_viewers=0))
    assert (found.verdict, f"{number}-{number}: 0 of 1" in found.what) == ("broken", True)


@pytest.mark.parametrize(
    ("file", "cure"), [("etc/ufw/ufw.conf", "sudo ufw allow 8443/tcp"), ("run/firewalld/x", "--add-port=8443/tcp")]
)
def test_a_firewall_is_named_with_what_lets_others_in(tmp_path: Path, file: str, cure: str) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text("# on\nENABLED=yes\n")
    (found,) = firewall(patient(tmp_path, https_port=8443, udp_ports="40000-40100"), tmp_path)
    assert found.verdict == "worth a look"
    assert cure in found.cure
    assert "40000" in found.cure
    (found,) = firewall(patient(tmp_path), tmp_path / "elsewhere")
    assert found.verdict == "good"


# -- video -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "told", "container", "verdict"),
    [
        (["192.168.1.5", "127.0.0.1"], (), False, "good"),
        (["203.0.113.5", "127.0.0.1"], (), False, "good"),
        (["127.0.0.1"], (), False, "worth a look"),
        (["169.254.3.4", "127.0.0.1"], (), False, "worth a look"),
        ([], (), False, "worth a look"),
        (["172.17.0.2"], (), True, "worth a look"),
        (["172.17.0.2"], ("192.168.1.5",), True, "good"),
        (["172.17.0.2"], ("127.0.0.1",), True, "broken"),
    ],
)
def test_addresses_that_browsers_cannot_reach(
    hosts: list[str], told: tuple[str, ...], container: bool, verdict: str
) -> None:
    assert addresses(hosts, TransportOptions(advertised_addresses=told), container).verdict == verdict


def test_a_container_is_told_by_its_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert not in_container(tmp_path)
    (tmp_path / ".dockerenv").touch()
    assert in_container(tmp_path)


def test_udp_flows_here_through_this_configuration() -> None:
    first = free_range(1)
    options = TransportOptions(bind_addresses=("127.0.0.1",), udp_ports=(first, first))
    assert flow(options).verdict == "good"
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as busy:
        busy.bind(("127.0.0.1", first))
        assert flow(options).verdict == "broken"


def test_a_stun_and_a_turn_server_that_are_not_there(tmp_path: Path) -> None:
    with contextlib.closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as silent:
        silent.bind(("127.0.0.1", 0))
        number = silent.getsockname()[1]
        given = {"ice_servers": f"stun:127.0.0.1:{number},turn:127.0.0.1:{number}", "turn_username": "somebody"}
        began = time.monotonic()
        found = verdicts(video(patient(tmp_path, {"VISAVIS_TURN_PASSWORD": "secret"}, **given)))
    assert (found["STUN"], found["TURN"]) == ("broken", "broken")
    assert time.monotonic() - began < 20


def test_an_address_that_is_not_ours(tmp_path: Path) -> None:
    assert verdicts(video(patient(tmp_path, bind_addresses="192.0.2.77", advertised_addresses="192.0.2.77"))) == {
        "addresses": "good",
        "connection": "good",  # by loopback, which is always bound
    }


# -- certificate and camera --------------------------------------------------------------------------------------------


def test_the_certificate_holds_is_missing_or_ran_out(tmp_path: Path) -> None:
    one = patient(tmp_path)
    assert verdicts(certificate(one)) == {"certificate": "good"}
    assert not tls_folder(one.settings).exists()
    names = certificate_names(one.settings, lan.addresses())
    CertificateStore(tls_folder(one.settings), names)
    assert verdicts(certificate(one)) == {"authority": "good", "certificate": "good"}
    named = patient(tmp_path, host_names="faces.home.arpa")
    assert verdicts(certificate(named))["certificate"] == "worth a look"  # a name it does not have yet
    assert verdicts(certificate(patient(tmp_path, host_names="faces.example.org")))["authority"] == "broken"
    assert verdicts(certificate(patient(tmp_path, lan=False))) == {"certificate": "good"}
    (tls_folder(one.settings) / "server.pem").unlink()
    assert verdicts(certificate(one))["certificate"] == "worth a look"


def test_an_expired_certificate(tmp_path: Path) -> None:
    one = patient(tmp_path)
    folder, names = tls_folder(one.settings), certificate_names(one.settings, lan.addresses())
    past = datetime.now(UTC) - timedelta(days=500)
    authority = renew_authority(folder, names, past)
    found, key = make_server_certificate(authority, names, past)
    from cryptography.hazmat.primitives.serialization import Encoding

    (folder / "server.pem").write_bytes(key_pem(key) + found.public_bytes(Encoding.PEM))
    (last,) = [f for f in certificate(one) if f.check == "certificate"]
    assert (last.verdict, last.cure) == ("broken", "visavis certificate renew")
    ends = authority.certificate.not_valid_after_utc
    assert verdicts(certificate(one, ends)) == {"authority": "broken"}


def test_beside_a_running_server(tmp_path: Path) -> None:
    with serving_all(tmp_path / "data") as served:
        http, https = (int(url.rpartition(":")[2]) for url in (served.local, served.lan))
        one = patient(tmp_path / "data", http_port=http, https_port=https)
        assert one.running
        assert one.serving_others
        assert "broken" not in verdicts(kept(one)).values()
        found = verdicts(ports(one))
        assert (found["http_port"], found["https_port"]) == ("good", "good")
        assert page(f"http://localhost:{http}").verdict == "good"
        pem = (tmp_path / "data/tls/authority.pem").read_text()
        pem = pem[pem.index("-----BEGIN CERTIFICATE") :]
        assert page(f"https://127.0.0.1:{https}", pem).verdict == "good"
        stranger = page(f"https://127.0.0.1:{https}")  # whose authority this computer does not trust
        assert (stranger.verdict, "certificate" in stranger.what) == ("broken", True)
        assert {f.verdict for f in camera(one) if "localhost" in f.what} == {"good"}
        assert served.ask("GET", "/config").status == 200
    assert not Patient(one.configuration).running


def test_another_server_is_not_taken_for_ours() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        other.settimeout(5)
        assert not asking.is_visavis(f"http://127.0.0.1:{other.getsockname()[1]}")  # it says nothing


# -- all of it ---------------------------------------------------------------------------------------------------------


def test_a_check_that_hangs_or_fails_is_a_finding(tmp_path: Path) -> None:
    def hangs(_one: Patient) -> Iterator[Finding]:
        yield Finding("first", "good", "was quick")
        time.sleep(30)

    def fails(_one: Patient) -> Iterator[Finding]:
        raise RuntimeError("a secret detail")
        yield

    def told(check: Check) -> list[Finding]:
        return list(within(Group("a group", check, 0.3), patient(tmp_path)))

    began = time.monotonic()
    assert [f.verdict for f in told(hangs)] == ["good", "broken"]
    assert time.monotonic() - began < 5
    (found,) = told(fails)
    assert (found.verdict, "secret" in found.what) == ("broken", False)
    assert [finding.check for _, finding in examine(patient(tmp_path), ())] == []


def run(*arguments: str) -> Any:
    return CliRunner().invoke(cli, ["doctor", *arguments])


def test_the_command_says_what_is_broken_and_ends_with_1(people: Path) -> None:
    ours = ["--data-dir", str(people), "--models-dir", str(models_folder()), "--https-port", "0", "--trust-port", "0"]
    done = run(*ours, "--http-port", "0", "--json")
    said = json.loads(done.output)
    assert (done.exit_code, said["broken"]) == (0, 0), done.output
    groups = list(dict.fromkeys(row["group"] for row in said["findings"]))
    assert groups == [
        "This computer", "Settings", "What is kept", "Models", "Ports", "Video", "Certificate", "Camera",
    ]  # fmt: skip
    assert all(row["cure"] for row in said["findings"] if row["verdict"] != "good")
    assert "Ada" not in done.output
    with socket.create_server(("127.0.0.1", 0)) as busy:
        done = run(*ours, "--http-port", str(busy.getsockname()[1]))
    assert done.exit_code == 1
    assert "✗ http_port" in done.output
    assert "→ visavis --http-port" in done.output
    assert "1 broken" in done.output


def test_a_setting_that_cannot_be_read_is_one_line() -> None:
    done = run("--http-port", "much")
    assert done.exit_code == 1
    assert "http_port" in str(done.exception)


def test_a_database_is_looked_at_without_writing_to_it(tmp_path: Path) -> None:
    running = postgres()
    url = running.database()
    empty = verdicts(database(url, tmp_path, MasterSource()))
    assert set(empty.values()) == {"good"}

    PeopleStore(tmp_path / "people.sqlite3", database=url).close()
    assert verdicts(database(url, tmp_path, MasterSource())) == {"database": "good", "store": "good", "keys": "good"}

    other = tmp_path / "other"
    other.mkdir()
    assert verdicts(database(url, other, MasterSource()))["keys"] == "broken", "this node has no master key yet"
    (other / "master-key").write_bytes(base64.b64encode(os.urandom(32)))
    (other / "master-key").chmod(0o600)
    assert verdicts(database(url, other, MasterSource()))["keys"] == "broken"


def test_a_database_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    pytest.importorskip("psycopg")
    url = "postgresql+psycopg://visavis:a-secret-word@127.0.0.1:1/visavis"
    (found,) = database(url, tmp_path, MasterSource())
    assert (found.check, found.verdict) == ("database", "broken")
    assert "a-secret-word" not in found.what + found.cure
