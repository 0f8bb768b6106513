"""The documentation says what the program does: settings, commands, dependencies, links."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from packaging.requirements import Requirement

from server.cli import cli
from server.settings import PREFIX, TABLE, Row

ROOT = Path(__file__).resolve().parents[1]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("**/*.md")])
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_every_setting_is_documented_as_it_is(row: Row) -> None:
    default = row.shown if row.worded else f"`{row.shown}`" if row.shown else "–"
    secret = " (secret)" if row.secret else ""
    line = f"| `{row.name}` | {row.kind.label}{secret} | {default} | {row.help} |"
    assert line in read("docs/settings.md").splitlines()


def test_no_setting_is_documented_that_is_not_there() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", read("docs/settings.md"), re.MULTILINE)
    assert sorted(documented) == sorted(row.name for row in TABLE)


def test_the_example_file_is_valid(tmp_path: Path) -> None:
    from server.settings import configure

    (example,) = re.findall(r"```toml\n(.*?)```", read("docs/settings.md"), re.DOTALL)
    file = tmp_path / "visavis.toml"
    file.write_text(example)
    assert configure({}, {}, file).settings.max_sessions == 4


def commands(group: click.Group, path: str) -> Iterator[tuple[str, click.Command]]:
    ctx = click.Context(group)
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        yield f"{path} {name}", command
        if isinstance(command, click.Group):
            yield from commands(command, f"{path} {name}")


COMMANDS = dict(commands(cli, "visavis"))


def section(name: str) -> str:
    """What docs/cli.md says about a command, up to the next heading."""
    found = re.search(rf"^##+ `{re.escape(name)}`\n(.*?)(?=^##|\Z)", read("docs/cli.md"), re.MULTILINE | re.DOTALL)
    assert found, f"docs/cli.md has no section `{name}`"
    return found[1]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_option_is_documented(name: str) -> None:
    text = section(name)
    above = section(name.rpartition(" ")[0]) if name.count(" ") > 1 else ""
    siblings = section("visavis models list") if name.startswith("visavis models ") else ""
    settings_too = ("visavis serve", "visavis settings", "visavis doctor")
    known = {row.name for row in TABLE} if name in settings_too else {"config"}
    for option in COMMANDS[name].params:
        if isinstance(option, click.Option) and option.name not in known | {"config"}:
            assert any(flag in text + above + siblings for flag in option.opts), f"{name} {option.opts}"


def test_no_command_is_documented_that_is_not_there() -> None:
    documented = re.findall(r"^##+ `(visavis [^`]+)`$", read("docs/cli.md"), re.MULTILINE)
    assert sorted(documented) == sorted(COMMANDS)


def test_every_dependency_has_its_reason_and_licence() -> None:
    packages = read("docs/dependencies.md").partition("## Licences that are taken")[0]
    rows = re.findall(r"^\| `([^`]+)` \|(.*)\|$", packages, re.MULTILINE)
    documented = dict(rows)
    wanted = {Requirement(text).name for text in PROJECT["dependencies"]}
    for extra in PROJECT["optional-dependencies"].values():
        wanted |= {Requirement(text).name for text in extra} - {"visavis"}
    assert set(documented) == wanted
    assert all(cell.strip() for cells in documented.values() for cell in cells.split("|"))


def slug(heading: str) -> str:
    """A heading's anchor as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower().replace("`", "")).replace(" ", "-")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" in target:
            continue
        path, _, anchor = target.partition("#")
        there = (document.parent / path).resolve() if path else document
        assert there.exists(), f"{document.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text("utf-8"), re.MULTILINE)
            assert anchor in map(slug, headings), f"{document.name}: {target}"


def test_the_readme_leads_to_every_document() -> None:
    linked = set(re.findall(r"\]\((docs/[\w.-]+)\)", read("README.md")))
    assert {f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")} <= linked


def test_variables_in_the_documentation_exist() -> None:
    known = {row.variable for row in TABLE} | {f"{PREFIX}CONFIG"}
    for document in DOCUMENTS:
        assert set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", document.read_text("utf-8"))) <= known, document.name


def test_the_changelog_has_this_version() -> None:
    assert f"## [{PROJECT['version']}]" in read("CHANGELOG.md")
