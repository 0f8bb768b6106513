"""What Visavis is made of, under which licences, and whether faults of it are known:

    python -m tests.supply [--no-audit] [--sbom build/sbom.json]

Writes a CycloneDX list of all parts (SBOM): every package of this environment, and every model file with its licence
from its manifest. Then holds the licences against the tables in docs/dependencies.md, and asks OSV (https://osv.dev) by
pip-audit for known faults. Exit code 0: all is well; 1: a licence or a fault is wrong; 3: nobody could be asked for
faults, which is not the same as that there are none.
"""

from __future__ import annotations

import argparse
import json
import re
import socket
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

ROOT = Path(__file__).resolve().parents[1]
WELL, WRONG, NOT_ASKED = 0, 1, 3
OSV = ("api.osv.dev", 443)
MANIFESTS = ("models/packs/open.toml", "models/ensemble/manifest.toml")  # of the models that come with Visavis
CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License": "Apache-2.0",
    "License :: OSI Approved :: BSD License": "BSD-3-Clause",
    "License :: OSI Approved :: MIT License": "MIT",
    "License :: OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
}
NO_LICENCE = {"License :: DFSG approved"}  # says something about one


class NotAsked(Exception):
    """The service that knows of faults cannot be reached; the text says why."""


@dataclass(frozen=True, slots=True)
class Known:
    """A fault of a package that is known."""

    package: str
    version: str
    id: str
    mended: tuple[str, ...]


def make_sbom() -> dict[str, Any]:
    """The list of all parts, as CycloneDX 1.6."""
    command = [
        str(Path(sys.executable).with_name("cyclonedx-py")), "environment", sys.executable, "--output-format", "JSON",
        "--spec-version", "1.6", "--pyproject", str(ROOT / "pyproject.toml"), "--output-reproducible", "--no-validate",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240)
    made: dict[str, Any] = json.loads(done.stdout)
    made["components"] += model_files()
    said = [{"name": "visavis:vendored-front-end", "value": "none: every file in static/ is of this project"}]
    made["metadata"].setdefault("properties", []).extend(said)
    return made


def model_files() -> list[dict[str, Any]]:
    """Model files that come with Visavis or are built from its packages, by their manifests."""
    found = []
    for path in MANIFESTS:
        manifest = tomllib.loads((ROOT / path).read_text("utf-8"))
        for file in manifest.get("files", manifest.get("networks", ())):
            name = file.get("name") or file["file"]
            licence = file.get("licence", manifest["licence"])
            found.append(
                {
                    "type": "machine-learning-model",
                    "bom-ref": f"model:{manifest['name']}/{name}",
                    "name": name,
                    "group": manifest["name"],
                    "licenses": [{"license": {"name" if " " in licence else "id": licence}}],
                    # Of a file that is built here: of what it is built from.
                    "hashes": [{"alg": "SHA-256", "content": file.get("sha256") or file["source"]["sha256"]}],
                }
            )
    return found


def validate(sbom: Mapping[str, Any]) -> str | None:
    """What is wrong with it by the schema of CycloneDX, or ``None``."""
    error = JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(sbom))
    return None if error is None else str(error).splitlines()[0]


def wrong_licences(sbom: Mapping[str, Any], document: str) -> list[str]:
    """Parts whose licence is not among those that ``document`` (docs/dependencies.md) says are taken."""
    taken, declared = _table(document, "Licences that are taken"), _table(document, "Licences that are not declared")
    models = _table(document, "Models under terms of their own")
    wrong = []
    for part in sbom["components"]:
        if part["type"] == "machine-learning-model" and part["group"] in models:
            continue
        licences = [_licence(entry) for entry in part.get("licenses", ())]
        licences = [one for one in licences if one not in NO_LICENCE] or [declared.get(part["name"].lower(), "")]
        wrong += [f"{part['name']}: {one or 'no licence'}" for one in licences if not allowed(one, taken)]
    return wrong


def _licence(entry: Mapping[str, Any]) -> str:
    said = entry.get("expression") or entry["license"].get("id") or entry["license"].get("name") or ""
    return CLASSIFIERS.get(said, said)


def allowed(expression: str, taken: Mapping[str, str] | set[str]) -> bool:
    """Whether an SPDX expression can be met: of ``OR`` one side will do, ``AND`` takes both."""
    parts = re.findall(r"\(|\)|[^\s()]+", expression)
    if not parts:
        return False

    def either() -> bool:
        found = both()
        while parts and parts[0] == "OR":
            parts.pop(0)
            found = both() or found
        return found

    def both() -> bool:
        found = one()
        while parts and parts[0] == "AND":
            parts.pop(0)
            found = one() and found
        return found

    def one() -> bool:
        word = parts.pop(0) if parts else ""
        if word == "(":
            found = either()
            return bool(parts) and parts.pop(0) == ")" and found
        return word in taken

    found = either()
    return found and not parts


def _table(document: str, heading: str) -> dict[str, str]:
    section = re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", document, re.MULTILINE | re.DOTALL)
    return dict(re.findall(r"^\| `([^`]+)` \| ([^|]+?) \|", section[1], re.MULTILINE)) if section else {}


def reachable(address: tuple[str, int] = OSV, seconds: float = 3.0) -> None:
    """Raise :class:`NotAsked` where the service cannot be reached."""
    try:
        socket.create_connection(address, seconds).close()
    except OSError as error:
        raise NotAsked(f"{address[0]} could not be asked: {error.strerror or type(error).__name__}") from error


def audit(command: Sequence[str] = ()) -> list[Known]:
    """Known faults of what is installed. Raises :class:`NotAsked`."""
    if not command:
        reachable()
        command = [sys.executable, "-m", "pip_audit"]
    wish = [
        *command,
        "--vulnerability-service",
        "osv",
        "--format",
        "json",
        "--progress-spinner",
        "off",
        "--skip-editable",
    ]
    done = subprocess.run(wish, capture_output=True, text=True, check=False, timeout=600)
    try:
        found = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError, TypeError) as error:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise NotAsked(f"pip-audit could not ask: {last}") from error
    return [
        Known(one["name"], one["version"], fault["id"], tuple(fault.get("fix_versions", ())))
        for one in found
        for fault in one.get("vulns", ())
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sbom", type=Path, default=ROOT / "build" / "sbom.json")
    parser.add_argument("--no-audit", action="store_true", help="Ask nobody; exit code 3 then too.")
    wish = parser.parse_args(arguments)
    sbom = make_sbom()
    wish.sbom.parent.mkdir(parents=True, exist_ok=True)
    wish.sbom.write_text(json.dumps(sbom, indent=1), "utf-8")
    wrong = [f"the list is not CycloneDX: {error}"] if (error := validate(sbom)) else []
    wrong += [f"licence not taken: {one}" for one in wrong_licences(sbom, dependencies())]
    print(f"{len(sbom['components'])} parts are in {wish.sbom}")
    code = WELL
    try:
        known = [] if wish.no_audit else audit()
        wrong += [f"{one.package} {one.version}: {one.id}, mended in {', '.join(one.mended) or '–'}" for one in known]
    except NotAsked as reason:
        print(f"Known faults: {reason}. Whether there are any is not known.")
        code = NOT_ASKED
    if wish.no_audit:
        code = NOT_ASKED
    print("\n".join(wrong) or ("All licences are taken." if code else "All licences are taken, no fault is known."))
    return WRONG if wrong else code


def dependencies() -> str:
    """docs/dependencies.md."""
    return (ROOT / "docs" / "dependencies.md").read_text("utf-8")


if __name__ == "__main__":
    sys.exit(main())
