"""What can happen to a message before it arrives: text, JSON, session descriptions and bytes after random damage.

All of it comes from the random numbers it is given, so that a seed makes the same damage again.
"""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Mapping, Sequence
from typing import Any

ODD_TEXT = (
    "", " ", "\0", "\u200b", "\ud7ff", "﷽", "a" * 5000, "../../etc/passwd", "%00", "%2e%2e%2f",
    "<script>alert(1)</script>",
    "'; DROP TABLE person; --", "{{7*7}}", "${jndi:ldap://x}", "null", "NaN", "-1", "1e999", "𝕏" * 64, "é\u0301" * 40,
    "\u202eabc", "\r\nSet-Cookie: a=b", "null\0byte", "true", "[]", "{}", "🙂" * 100,
)  # fmt: skip
ODD_NUMBERS = (
    0, -1, 1, 2**31, 2**53, 2**63, 2**64, -(2**63), 10**40, 0.1, -0.0, 1e308, 5e-324, float("nan"), float("inf"),
)  # fmt: skip


def odd(rng: random.Random, depth: int = 0) -> Any:
    """Any JSON value, and some that JSON does not have."""
    kinds = (
        lambda: rng.choice(ODD_TEXT),
        lambda: rng.choice(ODD_NUMBERS),
        lambda: rng.choice((None, True, False)),
        lambda: "".join(chr(rng.choice((rng.randrange(32, 127), 0x3000))) for _ in range(rng.randrange(40))),
        lambda: [odd(rng, depth + 1) for _ in range(rng.randrange(4))] if depth < 3 else [],
        lambda: {rng.choice(ODD_TEXT): odd(rng, depth + 1) for _ in range(rng.randrange(4))} if depth < 3 else {},
    )  # fmt: skip
    return rng.choice(kinds)()


def json_bytes(value: Any) -> bytes:
    """As it goes over the wire."""
    return json.dumps(value).encode("utf-8", "surrogatepass")


def mangled_object(whole: Mapping[str, Any], rng: random.Random) -> dict[str, Any]:
    """The same object with a field exchanged, missing, doubled or added."""
    made = copy.deepcopy(dict(whole))
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        match rng.randrange(4):
            case 0 if made:
                made[rng.choice(sorted(made))] = odd(rng)
            case 1 if made:
                del made[rng.choice(sorted(made))]
            case 2:
                made[rng.choice(ODD_TEXT)] = odd(rng)
            case _ if made:
                made[rng.choice(sorted(made))] = copy.deepcopy(rng.choice(list(made.values())))
    return made


def mangled_bytes(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, cut, doubled or put elsewhere."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 5, 20))):
        at = rng.randrange(len(made) + 1)
        match rng.randrange(5):
            case 0:
                del made[at : at + rng.choice((1, 1, 10, 1000))]
            case 1:
                made[at:at] = rng.randbytes(rng.choice((1, 1, 8, 300)))
            case 2 if made:
                made[at % len(made)] ^= 1 << rng.randrange(8)
            case 3:
                made[at:at] = made[: rng.randrange(200)]
            case _:
                made[at:at] = rng.choice(ODD_TEXT).encode()
    return bytes(made)


def mangled_json(whole: Mapping[str, Any], rng: random.Random) -> bytes:
    """An object's text after damage to the object, to its text, or of something that is no object at all."""
    match rng.randrange(8):
        case 0:
            return mangled_bytes(json_bytes(dict(whole)), rng)
        case 1:
            return json_bytes(odd(rng))
        case 2:
            return b"[" * rng.choice((1, 100, 5000)) + b"]" * rng.choice((0, 100))
        case _:
            return json_bytes(mangled_object(whole, rng))


def mangled_lines(text: str, rng: random.Random, donors: Sequence[str] = ()) -> bytes:
    """A session description (or a piece of one) with lines missing, doubled, exchanged, mixed up or damaged."""
    lines = text.split("\r\n")
    for _ in range(rng.choice((1, 1, 2, 4, 12))):
        at = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0 if len(lines) > 1:
                del lines[at]
            case 1:
                lines.insert(at, rng.choice(lines))
            case 2:
                other = rng.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            case 3:
                words = lines[at].split(" ")
                words[rng.randrange(len(words))] = rng.choice((str(rng.choice(ODD_NUMBERS)), rng.choice(ODD_TEXT)))
                lines[at] = " ".join(words)
            case 4:
                lines[at] = lines[at][: rng.randrange(len(lines[at]) + 1)]
            case 5 if donors:
                lines.insert(at, rng.choice(rng.choice(donors).split("\r\n")))
            case 6:
                name, colon, _ = lines[at].partition(":")
                lines[at] = name + colon + rng.choice(ODD_TEXT)
            case 7:
                lines[at : at + 3] = []
                lines = lines or [""]
            case _:
                lines[at] = mangled_bytes(lines[at].encode(), rng).decode("latin-1")
    ending = rng.choice(("\r\n", "\r\n", "\r\n", "\n", "\r"))
    return ending.join(lines).encode("utf-8", "surrogatepass")


def example_of(schema: Mapping[str, Any], rng: random.Random, document: Mapping[str, Any], depth: int = 0) -> Any:
    """Something that a JSON schema of ours may well allow."""
    if "$ref" in schema:
        node: Any = document
        for part in schema["$ref"].removeprefix("#/").split("/"):
            node = node[part]
        return example_of(node, rng, document, depth)
    for several in ("anyOf", "oneOf", "allOf"):
        if schema.get(several):
            return example_of(rng.choice(schema[several]), rng, document, depth)
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return rng.choice(schema["enum"])
    kind = schema.get("type", "string")
    match rng.choice(kind) if isinstance(kind, list) else kind:
        case "object":
            fields = schema.get("properties", {})
            wanted = schema.get("required", [])
            return {
                name: example_of(said, rng, document, depth + 1)
                for name, said in fields.items()
                if name in wanted or rng.random() < 0.5
            }
        case "array":
            count = rng.randrange(3) if depth < 4 else 0
            return [example_of(schema.get("items", {}), rng, document, depth + 1) for _ in range(count)]
        case "integer":
            return rng.randint(int(schema.get("minimum", 0)), int(schema.get("maximum", 100)))
        case "number":
            return rng.uniform(float(schema.get("minimum", 0)), float(schema.get("maximum", 1)))
        case "boolean":
            return rng.random() < 0.5
        case "null":
            return None
        case _:
            return rng.choice(("Ada", "hall", "0" * 32, "http://127.0.0.1:1/x", "rtsp://127.0.0.1:9/x", "x"))
