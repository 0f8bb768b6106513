"""What a node is called, what it is told, and who can ask about it."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from server.cli import cli
from server.database import Database
from server.nodes.node import open_node
from server.nodes.tags import like, plain_id, secret_id, tag_in, tagged
from server.settings import Settings, SettingsError, StartError, configure
from server.storage import PeopleStore
from server.storage.nodes import beat
from server.vault import MasterSource
from tests.stores import postgres

URL = "http://10.0.0.5:8000"
DATABASE = "postgresql+psycopg://visavis:secret@10.0.0.2/visavis"


def test_a_single_server_has_no_tag_and_keeps_no_file(tmp_path: Path) -> None:
    assert open_node(Settings(data_dir=tmp_path)) is None
    assert list(tmp_path.iterdir()) == []
    assert tag_in(secret_id()) is tag_in(plain_id()) is None
    assert like(secret_id(), "x") == "x"


def test_a_tag_stays_with_its_folder_and_so_does_a_name_nobody_chose(tmp_path: Path) -> None:
    one = Settings(data_dir=tmp_path / "one", node_url=URL)
    first, again = open_node(one), open_node(one)
    assert first is not None
    assert first == again
    assert first.name.endswith(first.tag)
    other = open_node(Settings(data_dir=tmp_path / "two", node_url=URL, node_name="right"))
    assert other is not None
    assert (other.name, other.tag != first.tag) == ("right", True)
    assert (tmp_path / "one" / "node-tag").stat().st_mode & 0o77 == 0
    id = tagged(first.tag, "abc")
    assert (tag_in(id), like(id, "x")) == (first.tag, f"{first.tag}~x")
    for said in ("nonsense", "ABCDEF", ""):
        (tmp_path / "one" / "node-tag").write_text(said)
        with pytest.raises(StartError, match="put back the file"):
            open_node(one)


@pytest.mark.parametrize("id", ["abc", "~abc", "aaaaaa~", "AAAAAA~x", "aaaaa~x", "aaaaaaa~x", "é~x", ""])
def test_what_bears_no_tag(id: str) -> None:
    assert tag_in(id) is None


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"node_url": "10.0.0.5:8000"}, "give an address such as"),
        ({"node_url": "http://10.0.0.5:8000/path"}, "with no path"),
        ({"node_url": "http://me:word@10.0.0.5"}, "no password"),
        ({"node_url": "ftp://10.0.0.5"}, "give an address such as"),
        ({"node_url": "http://10.0.0.5:99999"}, "give an address such as"),
        ({"node_url": URL}, "database names none"),
        ({"node_url": URL, "local_owner": True}, "local_owner"),
        ({"node_name": "left"}, "node_url is empty"),
        ({"node_name": "a" * 33}, "32 letters"),
        ({"node_name": "left right"}, "32 letters"),
    ],
)
def test_settings_that_cannot_be_say_why(flags: dict[str, object], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        configure(flags, {})


def test_settings_of_a_node() -> None:
    found = configure({"node_url": URL + "/", "node_name": "left"}, {"VISAVIS_DATABASE": DATABASE}).settings
    assert (found.node_url, found.node_name) == (URL, "left")


def test_the_command_lists_nodes(tmp_path: Path) -> None:
    url = postgres().database()
    environ = {"VISAVIS_DATABASE": url}
    master = MasterSource(base64.b64encode(bytes(32)).decode())
    PeopleStore(tmp_path / "people.sqlite3", 7, master, database=url).close()
    assert json.loads(CliRunner().invoke(cli, ["nodes", "--json"], env=environ).output) == {"nodes": []}
    engine = Database(url).engine()
    for tag in ("aaaaaa", "bbbbbb"):
        row = {"tag": tag, "name": f"n-{tag}", "url": URL, "version": "1", "sessions": 2, "draining": tag == "bbbbbb"}
        beat(engine, row, started=True, dead=3, forget=60)
    engine.dispose()
    said = CliRunner().invoke(cli, ["nodes"], env=environ).output
    shown = [line.split()[:3] for line in said.splitlines()[1:]]
    assert shown == [["n-aaaaaa", "live", "2"], ["n-bbbbbb", "draining", "2"]]
    said = CliRunner().invoke(cli, ["nodes", "--json"], env=environ).output
    assert [node["tag"] for node in json.loads(said)["nodes"]] == ["aaaaaa", "bbbbbb"]


def test_the_command_needs_a_database_that_answers() -> None:
    run = CliRunner().invoke(cli, ["nodes"], env={"VISAVIS_DATABASE": ""})
    assert (run.exit_code, "database names none" in run.output) == (1, True)
    run = CliRunner().invoke(cli, ["nodes"], env={"VISAVIS_DATABASE": "postgresql+psycopg://me:word@127.0.0.1:1/x"})
    assert (run.exit_code, "cannot be reached" in run.output, "word" in run.output) == (1, True, False)
