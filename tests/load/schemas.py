"""Whether the server keeps to its own document, whatever is sent: schemathesis against a running server.

    python -m tests.load.schemas [--seconds 600] [--examples 200] [--seed 1]

Every operation is asked with what its schema allows and with what it does not, boundary by boundary, at random, and in
sequences that follow from each other's answers. Nothing may answer with an error of ours, with a status or a body
that is not in the document, accept what the document forbids, or answer a method it does not have with anything
but 405.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.server.whole import seed, serving_all

SETTINGS = """
[checks.negative_data_rejection]
# 408: an upload that does not come. 412: what If-Match names is looked at before the body is.
expected-statuses = [400, 401, 403, 404, 405, 406, 408, 409, 412, 413, 415, 422, 428, 429]
"""
HOOKS = {"SCHEMATHESIS_HOOKS": "tests.load.schema_hooks", "PYTHONPATH": str(Path(__file__).resolve().parents[2])}
LEFT_OUT = (
    # What a schema allows may still be refused for what is there: a name that is taken, an id that is gone.
    "positive_data_acceptance",
)


def run(url: str, *, seconds: int, examples: int, seed: int, folder: Path, more: Sequence[str] = ()) -> tuple[int, str]:
    """Ask the server at ``url``; the exit code of schemathesis, 0 if it found nothing, and what it printed."""
    (folder / "schemathesis.toml").write_text(SETTINGS)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "run", f"{url}/api/v1/openapi.json",
        "--max-time", str(seconds), "--max-examples", str(examples), "--seed", str(seed), "--workers", "1",
        "--exclude-checks", ",".join(LEFT_OUT), "--request-timeout", "30", "--warnings", "off",
        "--exclude-path", "/api/v1/sessions/{id}/events",
        "--exclude-path", "/api/v1/rooms/{room}/events",
        "--exclude-path", "/api/v1/events",  # it never ends by itself; tests/server/test_sightings_routes.py asks it
        "--generation-database", "none", "--no-color", "--continue-on-failure", *more,
    ]  # fmt: skip
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **HOOKS},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds + 120,
    )
    return done.returncode, done.stdout


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--examples", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wish = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        seed(folder / "data", "Ada", "Bob", "Grace")
        with serving_all(folder / "data") as whole:
            code, said = run(whole.local, seconds=wish.seconds, examples=wish.examples, seed=wish.seed, folder=folder)
    print(said)
    return code


if __name__ == "__main__":
    sys.exit(main())
