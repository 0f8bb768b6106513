from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from server.commands.keys import keys
from server.people import People
from tests.server.test_storage import DIGEST


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VISAVIS_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(keys, arguments)


async def test_a_key_is_made_listed_used_and_revoked(data: Path) -> None:
    from server.api.keys import Keys

    made = run("create", "Front door", "--scope", "people", "--scope", "read")
    assert made.exit_code == 0
    token = made.stdout.strip()
    assert token.startswith("visavis_")
    assert "not shown again" in made.stderr
    people = await People.open(data / "people.sqlite3", DIGEST, 128)
    try:
        found = await Keys(people).find(token)
        assert found is not None
        assert found.scopes == ("read", "people")
    finally:
        await people.close()
    listed = run("list").stdout
    assert "Front door" in listed
    assert token not in listed
    (key,) = json.loads(run("list", "--json").stdout)["keys"]
    assert (key["name"], key["scopes"], key["used"] is not None) == ("Front door", ["read", "people"], True)
    assert run("revoke", key["id"]).stdout == "Revoked.\n"
    assert run("list").stdout == "There are no keys.\n"


def test_without_a_scope_a_key_may_read() -> None:
    made = json.loads(run("create", "Reader", "--json").stdout)
    assert made["scopes"] == ["read"]
    assert made["key"].startswith(f"visavis_{made['id']}_")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", ""), "must not be empty"),
        (("create", "x", "--scope", "all"), "'all' is not one of"),
        (("create",), "Missing argument"),
        (("revoke", "nonsense"), "there is no key 'nonsense'"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(arguments: tuple[str, ...], words: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert words in result.stderr
