"""What the packages import, read from their syntax trees and never by importing them."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("ditto_rt", "daemon")


@dataclass(frozen=True)
class Import:
    """One arrow: `source` imports `target` (dotted names); lazy where it is inside a function."""

    source: str
    target: str
    lazy: bool


def sources(root: Path = ROOT) -> dict[str, Path]:
    """Return the file of each module below the packages, by dotted name."""
    found = {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, tree: ast.AST, is_package: bool, known: frozenset[str]) -> list[Import]:
    """Return the arrows of one module; a name imported from a package counts as its submodule."""
    package = module if is_package else module.rpartition(".")[0]
    return [
        Import(module, target, lazy)
        for node, lazy in _statements(tree, False)
        for target in _targets(node, package, known)
    ]


def all_imports(root: Path = ROOT) -> list[Import]:
    """Return every arrow of both packages."""
    files = sources(root)
    known = frozenset(files)
    return [
        arrow
        for module, path in files.items()
        for arrow in imports(
            module, ast.parse(path.read_text("utf-8")), path.name == "__init__.py", known
        )
    ]


def within(module: str, names: tuple[str, ...]) -> bool:
    """Return whether a dotted name is one of `names` or lies below one of them."""
    return any(module == name or module.startswith(name + ".") for name in names)


def cycles(arrows: list[Import]) -> list[list[str]]:
    """Return the groups of modules that import each other, each group sorted."""
    graph: dict[str, set[str]] = {}
    for arrow in arrows:
        graph.setdefault(arrow.source, set()).add(arrow.target)
        graph.setdefault(arrow.target, set())
    reach = {name: _reachable(name, graph) for name in graph}
    groups = {tuple(sorted(o for o in reach[n] if n in reach[o])) for n in graph if n in reach[n]}
    return [list(group) for group in sorted(groups)]


def loaded_with(module: str, arrows: list[Import]) -> set[str]:
    """Return all that importing `module` loads, through imports at the top of files only."""
    graph: dict[str, set[str]] = {}
    for arrow in arrows:
        if not arrow.lazy:
            # Importing a.b runs a's __init__ first.
            parts = arrow.target.split(".")
            parents = {".".join(parts[:n]) for n in range(1, len(parts) + 1)}
            graph.setdefault(arrow.source, set()).update(parents)
    return _reachable(module, graph)


def _reachable(start: str, graph: dict[str, set[str]]) -> set[str]:
    seen: set[str] = set()
    todo = list(graph.get(start, ()))
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo.extend(graph.get(name, ()))
    return seen


def _statements(node: ast.AST, lazy: bool) -> Iterator[tuple[ast.stmt, bool]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, lazy
        elif not (isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)):
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _statements(child, lazy or inside)


def _targets(node: ast.stmt, package: str, known: frozenset[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        parts = package.split(".")
        above = ".".join(parts[: len(parts) - node.level + 1]) if node.level else ""
        base = ".".join(part for part in (above, node.module or "") if part)
        for alias in node.names:
            deeper = f"{base}.{alias.name}"
            yield deeper if deeper in known else base
