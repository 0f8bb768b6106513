"""The list of parts is made and right, their licences are taken, and no fault is known, as far as can be asked."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from tests import supply
from tests.supply import NotAsked, allowed, audit, dependencies, make_sbom, reachable, validate, wrong_licences


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    return make_sbom()


def test_the_list_of_parts_is_cyclonedx(sbom: dict[str, Any]) -> None:
    assert validate(sbom) is None
    assert validate({**sbom, "components": [{"name": "no type"}]}) is not None


def test_it_holds_packages_and_models(sbom: dict[str, Any]) -> None:
    parts = {part["name"].lower(): part for part in sbom["components"]}
    direct = re.findall(r"^\| `([\w.-]+)` \|", dependencies().partition("## Extras")[0], re.MULTILINE)
    assert len(direct) > 20
    assert {name.lower() for name in direct} <= {name.replace("_", "-") for name in parts} | set(parts)
    models = [part for part in sbom["components"] if part["type"] == "machine-learning-model"]
    assert {"centerface.onnx", "dlib_resnet.onnx"} <= {part["name"] for part in models}
    assert len(models) >= 4
    for part in models:
        assert all(part["licenses"][0]["license"].values())
        assert re.fullmatch("[0-9a-f]{64}", part["hashes"][0]["content"])


def test_nothing_of_others_lies_among_the_pages() -> None:
    """So the list has no front-end parts; whoever brings one has to name it there."""
    for path in (supply.ROOT / "static").rglob("*"):
        if path.suffix in (".js", ".css", ".html"):
            head = path.read_text("utf-8")[:2000]
            assert not re.search(r"@license|/\*!|copyright|\(c\) \d{4}|sourceMappingURL", head, re.I), path.name
            assert ".min." not in path.name


def test_every_licence_is_taken(sbom: dict[str, Any]) -> None:
    assert wrong_licences(sbom, dependencies()) == []


def test_a_licence_that_is_not_taken_is_found() -> None:
    def part(*licences: dict[str, Any]) -> dict[str, Any]:
        return {"components": [{"type": "library", "name": "Strange", "licenses": list(licences)}]}

    document = "## Licences that are taken\n\n| `MIT` | x |\n\n## Licences that are not declared\n\n| `bare` | MIT |\n"
    assert wrong_licences(part({"license": {"id": "MIT"}}), document) == []
    assert wrong_licences(part({"license": {"id": "AGPL-3.0-only"}}), document) == ["Strange: AGPL-3.0-only"]
    assert wrong_licences(part({"expression": "MIT AND GPL-2.0-only"}), document) == ["Strange: MIT AND GPL-2.0-only"]
    assert wrong_licences(part(), document) == ["Strange: no licence"]
    assert wrong_licences({"components": [{"type": "library", "name": "Bare"}]}, document) == []
    model = {
        "type": "machine-learning-model",
        "name": "x.onnx",
        "group": "odd",
        "licenses": [{"license": {"name": "y"}}],
    }
    assert wrong_licences({"components": [model]}, document) == ["x.onnx: y"]
    named = document + "\n## Models under terms of their own\n\n| `odd` | research |\n"
    assert wrong_licences({"components": [model]}, named) == []


@pytest.mark.parametrize(
    ("expression", "well"),
    [
        ("MIT", True),
        ("MIT OR GPL-2.0-only", True),
        ("GPL-2.0-only OR MIT", True),
        ("MIT AND GPL-2.0-only", False),
        ("MIT AND (GPL-2.0-only OR Zlib)", True),
        ("(MIT AND GPL-2.0-only) OR Zlib", True),
        ("MIT)", False),
        ("(MIT", False),
        ("MIT AND", False),
        ("", False),
    ],
)
def test_expressions_are_met_as_they_say(expression: str, well: bool) -> None:
    assert allowed(expression, {"MIT", "Zlib"}) is well


def test_no_fault_is_known() -> None:
    try:
        known = audit()
    except NotAsked as reason:
        pytest.skip(f"whether faults are known could not be asked: {reason}")
    assert known == []


def test_what_the_audit_says_is_read(tmp_path: Path) -> None:
    said = {"dependencies": [
        {"name": "sound", "version": "1", "vulns": []},
        {"name": "faulty", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["3"]}]},
        {"name": "skipped", "skip_reason": "editable"},
    ]}  # fmt: skip
    script = tmp_path / "audit.py"
    script.write_text(f"print({json.dumps(json.dumps(said))})")
    (found,) = audit([sys.executable, str(script)])
    assert (found.package, found.version, found.id, found.mended) == ("faulty", "2", "PYSEC-1", ("3",))
    script.write_text("import sys; sys.exit('no route to host')")
    with pytest.raises(NotAsked, match="no route to host"):
        audit([sys.executable, str(script)])


def test_nobody_to_ask_is_not_success(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sbom: dict[str, Any]) -> None:
    with pytest.raises(NotAsked, match=r"127\.0\.0\.1 could not be asked"):
        reachable(("127.0.0.1", 1))
    few = {**sbom, "components": sbom["components"][:3], "dependencies": []}  # to check all of it takes a while
    monkeypatch.setattr(supply, "make_sbom", lambda: few)
    monkeypatch.setattr(supply, "OSV", ("127.0.0.1", 1))
    monkeypatch.setattr(supply, "reachable", lambda: reachable(("127.0.0.1", 1)))
    assert supply.main(["--sbom", str(tmp_path / "sbom.json")]) == supply.NOT_ASKED
    assert json.loads((tmp_path / "sbom.json").read_text())["bomFormat"] == "CycloneDX"
    assert supply.main(["--sbom", str(tmp_path / "sbom.json"), "--no-audit"]) == supply.NOT_ASKED
