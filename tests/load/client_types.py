"""Writes the types of the client, server/client_types.py, from the document of a running server.

python -m tests.load.client_types
"""

from __future__ import annotations

import ast
import json
import keyword
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.server.whole import serving_all

FILE = Path(__file__).resolve().parents[2] / "server" / "client_types.py"
CLIENT = FILE.with_name("client.py")
COMMAND = "python -m tests.load.client_types"
HEAD = '''"""What the server answers, as far as the client asks it. Written by ``{command}``."""

from __future__ import annotations

from typing import {names}
'''
PLAIN = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}


def wanted_types() -> set[str]:
    """What the client imports."""
    tree = ast.parse(CLIENT.read_text("utf-8"))
    froms = [
        node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and node.module == "server.client_types"
    ]
    return {alias.name for node in froms for alias in node.names}


def typed_dicts(spec: Mapping[str, Any], wanted: set[str]) -> str:
    """A module with a ``TypedDict`` for every wanted object of the document and all that is in it, formatted."""
    parts: list[str] = []
    schemas = spec["components"]["schemas"]
    for name in sorted(_reached(schemas, wanted)):
        _declare(name, schemas[name], parts)
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff, "ruff comes with the test extra"
    command = [ruff, "format", "--stdin-filename", str(FILE), "-"]
    done = subprocess.run(command, input="\n\n".join([_head(parts), *parts]), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def _head(parts: list[str]) -> str:
    used = [
        name for name in ("Any", "Literal", "NotRequired") if any(re.search(rf"\b{name}\b", part) for part in parts)
    ]
    return HEAD.format(command=COMMAND, names=", ".join([*used, "TypedDict"]))


def _reached(schemas: Mapping[str, Any], wanted: set[str]) -> set[str]:
    """These and all they refer to."""
    found: set[str] = set()
    while further := wanted - found:
        found |= further
        text = json.dumps([schemas[name] for name in further])
        wanted = found | set(re.findall(r'"#/components/schemas/(\w+)"', text))
    return found


def _declare(name: str, schema: Mapping[str, Any], parts: list[str]) -> None:
    fields = []
    for field, kind in schema["properties"].items():
        words = _kind(kind, name + "".join(word.capitalize() for word in field.split("_")), parts)
        fields.append((field, words if field in schema["required"] else f"NotRequired[{words}]"))
    if any(keyword.iskeyword(field) for field, _ in fields):
        inside = ", ".join(f'"{field}": "{words}"' for field, words in fields)
        parts.append(f'{name} = TypedDict("{name}", {{{inside}}})')
    else:
        lines = [f"    {field}: {words}" for field, words in fields]
        parts.append("\n".join([f"class {name}(TypedDict):", *lines]))


def _kind(schema: Mapping[str, Any], name: str, parts: list[str]) -> str:
    """A schema as an annotation; objects inside get ``name``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_kind(one, name, parts) for one in schema["anyOf"]))
    if "const" in schema:
        return f"Literal[{schema['const']!r}]"
    if "enum" in schema:
        return f"Literal[{', '.join(repr(value) for value in schema['enum'])}]"
    if schema.get("type") == "array":
        return f"list[{_kind(schema['items'], name, parts)}]"
    if "properties" in schema:
        _declare(name, schema, parts)
        return name
    if schema.get("type") == "object":
        values = schema.get("additionalProperties")
        return f"dict[str, {_kind(values, name, parts) if isinstance(values, Mapping) else 'Any'}]"
    return PLAIN.get(schema.get("type", ""), "Any")


def main() -> None:
    """Write the file."""
    with tempfile.TemporaryDirectory() as folder, serving_all(Path(folder)) as whole:
        FILE.write_text(typed_dicts(whole.ask("GET", "/openapi.json").json, wanted_types()), "utf-8")
    print(f"{FILE.name}: written")


if __name__ == "__main__":
    main()
