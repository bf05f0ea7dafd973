"""What the repository promises as a whole: sizes, style limits, docstrings, commands in README."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.source_tree import ROOT, sources

MIB = 2**20
FILE_LIMIT, TREE_LIMIT = 15 * MIB, 32 * MIB
LINES, FUNCTION_LINES, PARAMETERS = 400, 60, 8
# Spelt in two halves, so that this file does not find itself.
UNFINISHED = re.compile(
    r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|HA" + r"CK)\b|^(<{7}|={7}|>{7})( |$)", re.MULTILINE
)
BINARY = {".safetensors", ".png", ".wav", ".flac", ".mid", ".npz"}

TREES = {name: ast.parse(path.read_text("utf-8")) for name, path in sources().items()}
FUNCTIONS = [
    (f"{name}.{node.name}", node)
    for name, tree in TREES.items()
    for node in ast.walk(tree)
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
]


def _tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode != 0:
        pytest.skip("this copy is no git checkout, so tracked files are not known")
    return [path for name in listed.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def test_sizes() -> None:
    sizes = {path: path.stat().st_size for path in _tracked()}
    assert {str(path): size for path, size in sizes.items() if size > FILE_LIMIT} == {}
    assert sum(sizes.values()) <= TREE_LIMIT


def test_nothing_is_marked_unfinished() -> None:
    texts = [path for path in _tracked() if path.suffix not in BINARY]
    found = [
        f"{path.relative_to(ROOT)}: {match.group()}"
        for path in texts
        if (match := UNFINISHED.search(path.read_text("utf-8", errors="replace")))
    ]
    assert found == []


def test_files_are_short() -> None:
    lengths = {name: path.read_text("utf-8").count("\n") for name, path in sources().items()}
    assert {name: length for name, length in lengths.items() if length > LINES} == {}


def test_functions_are_short() -> None:
    lengths = [(name, (node.end_lineno or 0) - node.lineno + 1) for name, node in FUNCTIONS]
    assert [(name, length) for name, length in lengths if length > FUNCTION_LINES] == []


def test_functions_take_few_parameters() -> None:
    def own(arguments: ast.arguments) -> list[str]:
        names = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        return [each.arg for each in names if each.arg not in ("self", "cls")]

    counts = [(name, len(own(node.args))) for name, node in FUNCTIONS]
    assert [(name, count) for name, count in counts if count > PARAMETERS] == []


def test_no_function_changes_a_global() -> None:
    found = [
        f"{name}:{node.lineno}"
        for name, tree in TREES.items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Global)
    ]
    assert found == []


def test_modules_and_public_names_have_docstrings() -> None:
    bare = [name for name, tree in TREES.items() if not ast.get_docstring(tree)]
    for name, tree in TREES.items():
        for node in tree.body:
            named = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            if named and not node.name.startswith("_") and not ast.get_docstring(node):
                bare.append(f"{name}.{node.name}")
    assert bare == []


def _documents() -> list[Path]:
    return [path for path in _tracked() if path.suffix == ".md"]


def _code(text: str) -> list[str]:
    """Return the lines of fenced blocks and the inline code of a document."""
    pieces = text.replace("\\\n", " ").split("```")
    fenced = [line for block in pieces[1::2] for line in block.splitlines()]
    return fenced + [code for prose in pieces[0::2] for code in re.findall(r"`([^`]+)`", prose)]


def _command_line_help(*words: str) -> str:
    command = [sys.executable, "-m", "daemon", *words, "--help"]
    shown = subprocess.run(
        command,
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": "/usr/bin:/bin", "COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"},
    )
    return shown.stdout if shown.returncode == 0 else ""


@pytest.mark.skipif("daemon.__main__" not in TREES, reason="there is no command line yet")
def test_commands_in_the_documents_exist() -> None:
    named = {
        (command, below, tuple(sorted(set(re.findall(r"(?<!\S)--[a-z][a-z-]*", rest)))))
        for path in _documents()
        for line in _code(path.read_text("utf-8"))
        for command, below, rest in re.findall(r"\bditto-rt ([a-z][a-z-]*)(?: ([a-z]+))?(.*)", line)
    }
    assert named
    wrong = []
    for command, below, options in sorted(named):
        shown = _command_line_help(command)
        # The word behind it may be a command of its own, as in `cache list`, or an argument.
        shown += _command_line_help(command, below) if below and options else ""
        wrong += [f"ditto-rt {command}"] * (not shown)
        wrong += [f"ditto-rt {command} {o}" for o in options if shown and o not in shown]
    assert wrong == []


def test_links_between_documents_lead_somewhere() -> None:
    dead = [
        f"{path.relative_to(ROOT)}: {link}"
        for path in _documents()
        for link in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", path.read_text("utf-8"))
        if not (path.parent / link).exists()
    ]
    assert dead == []


def test_make_targets_in_the_documents_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    named = {
        word
        for path in _documents()
        for line in _code(path.read_text("utf-8"))
        for word in re.findall(r"^make ([a-z]+)", line)
    }
    assert {"run", "test"} <= named <= targets
