"""The house rules of docs/architecture.md, held by reading every module's imports."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("server", "training", "pipeline", "tracking", "models")
MAY_IMPORT = {
    "server": {"pipeline", "tracking", "models"},
    "training": {"pipeline", "models"},
    "pipeline": {"tracking", "models"},
    "tracking": set[str](),
    "models": set[str](),
}
TOP_LEVEL = {*PACKAGES, "static", "tests", "docs", ".ci", ".git", ".gitignore"} | {
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "CHANGELOG.md",
    "Makefile",
}
MAX_LINES = 450
WRITTEN = "Written by ``python -m tests."
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


NAMES = {name_of(path): path for path in MODULES}


def imports(path: Path, *, everywhere: bool = True) -> Iterator[str]:
    """Full names of what a module imports; with ``everywhere`` also inside functions, otherwise when it is loaded."""
    tree = ast.parse(path.read_text("utf-8"))
    nodes = list(ast.walk(tree)) if everywhere else list(_at_load(tree))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: import by full names"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


def _at_load(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        yield child
        yield from _at_load(child)


def ours(imported: str) -> str | None:
    """The module of ours that an import loads, if any."""
    for candidate in (imported, imported.rpartition(".")[0]):
        if candidate in NAMES:
            return candidate
    return None


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_run_one_way(package: str) -> None:
    allowed = MAY_IMPORT[package] | {package}
    wrong = [
        f"{name_of(path)} imports {imported}"
        for path in MODULES
        if path.relative_to(ROOT).parts[0] == package
        for imported in imports(path)
        if imported.partition(".")[0] in {*PACKAGES, "tests"} - allowed
    ]
    assert wrong == []


def test_the_table_in_the_documentation_is_this_one() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)/` \|[^|]+\| ([^|]+) \|$", text, re.MULTILINE)
    table = {name: set(re.findall(r"\w+", allowed)) for name, allowed in rows if name in PACKAGES}
    assert table == MAY_IMPORT


def test_no_module_imports_itself_in_a_circle() -> None:
    graph = {
        name: {found for i in imports(path, everywhere=False) if (found := ours(i))} for name, path in NAMES.items()
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, f"circle: {' → '.join((*way[way.index(name) :], name))}"
        if name not in done:
            for further in sorted(graph[name] - {name}):
                visit(further, (*way, name))
            done.add(name)

    for name in graph:
        visit(name, ())


@pytest.mark.parametrize(
    ("library", "fence"),
    [
        ("tensorflow", r"training(\.|$)"),
        ("keras", r"training(\.|$)"),
        ("insightface", r"models\.insightface_zoo$"),
        ("onnxruntime", r"models(\.|$)"),
        ("aiortc", r"server(\.|$)"),
        ("aiohttp", r"server(\.|$)"),
        ("sqlalchemy", r"server(\.|$)"),
        ("asyncio", r"server(\.|$)"),
    ],
)
def test_a_library_is_used_only_where_it_belongs(library: str, fence: str) -> None:
    users = [name for name, path in NAMES.items() if any(i.partition(".")[0] == library for i in imports(path))]
    assert [name for name in users if not re.match(fence, name)] == []


def private_uses(path: Path) -> Iterator[str]:
    """Private names of aiortc or aioice: imported, or attributes with an underscore of anything but ``self``."""
    tree = ast.parse(path.read_text("utf-8"))
    for imported in imports(path):
        library, *rest = imported.split(".")
        if library in ("aiortc", "aioice") and any(part.startswith("_") for part in rest):
            yield imported
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and re.match(r"_(RTC|_?[a-z])", node.attr) and not node.attr.endswith("__"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner not in ("self", "cls"):
                yield f"line {node.lineno}: .{node.attr}"


def test_private_names_of_aiortc_and_aioice_stay_in_the_transport() -> None:
    found: dict[str, list[str]] = {}
    for name, path in NAMES.items():
        uses_them = any(i.partition(".")[0] in ("aiortc", "aioice") for i in imports(path))
        if uses_them and not name.startswith("server.transport") and (private := list(private_uses(path))):
            found[name] = private
    assert found == {}


def test_nothing_below_the_server_reads_a_clock() -> None:
    """``time.perf_counter`` may measure how long a stage took; what time it is comes as an argument."""
    wrong = [
        f"{name} uses {imported}"
        for name, path in NAMES.items()
        if name.partition(".")[0] in ("pipeline", "tracking")
        for imported in imports(path)
        if imported.partition(".")[0] in ("time", "datetime", "socket", "sqlite3") and imported != "time.perf_counter"
    ]
    assert wrong == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: name_of(path))
def test_a_file_is_one_idea(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert len(lines) <= MAX_LINES or WRITTEN in lines[0]


def test_every_package_says_what_it_is() -> None:
    assert [name for name, path in NAMES.items() if not ast.get_docstring(ast.parse(path.read_text("utf-8")))] == []


def test_no_other_distribution_has_our_names() -> None:
    """The folders are top-level packages: another distribution that ships one of them would shadow ours."""
    owners = packages_distributions()
    for package in PACKAGES:
        assert set(owners.get(package, [])) <= {"visavis"}, f"{package} is also in {owners[package]}"


def test_the_top_level_holds_what_was_agreed() -> None:
    ignored = {line.strip("/") for line in (ROOT / ".gitignore").read_text("utf-8").split()}
    found = {path.name for path in ROOT.iterdir()}
    assert {name for name in found - TOP_LEVEL - ignored if not name.endswith(".egg-info")} == set()
