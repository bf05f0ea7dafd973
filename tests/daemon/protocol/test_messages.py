"""One table: the handlers, the document and the command-line agree with it."""

import re
from pathlib import Path

from daemon.commands.handlers import HANDLERS
from daemon.osc.rows import synopsis
from daemon.protocol.document import document
from daemon.protocol.messages import CODES, COMMANDS, REPLIES
from tests.source_tree import ROOT

FIXED = {
    "/ditto/notify": "on:i [port:i] [name:s] [reqid:i]",
    "/ditto/ping": "...",
    "/ditto/version": "[reqid:i]",
    "/ditto/status": "[reqid:i]",
    "/ditto/sync": "id:i [reqid:i]",
    "/ditto/slot/tags": "slot:i text:s [reqid:i]",
    "/ditto/slot/tempo": "slot:i bpm:f beats:f [reqid:i]",
    "/ditto/slot/seed": "slot:i seed:i [reqid:i]",
    "/ditto/slot/region": "slot:i path:s start_s:f end_s:f mode:s [reqid:i]",
    "/ditto/slot/intensity": "slot:i (beat:f db:f)* [reqid:i]",
    "/ditto/slot/melody": "slot:i (pitch:i beat:f beats:f)* [reqid:i]",
    "/ditto/slot/structure": "slot:i pattern:s [reqid:i]",
    "/ditto/slot/clear": "slot:i control:s [reqid:i]",
    "/ditto/render": "slot:i [reqid:i]",
    "/ditto/cancel": "slot:i [reqid:i]",
    "/ditto/quit": "[reqid:i]",
}


def test_the_promised_commands_take_what_was_promised() -> None:
    assert {address: synopsis(COMMANDS[address]) for address in FIXED} == FIXED


def test_every_command_has_a_handler_and_no_other() -> None:
    assert set(HANDLERS) == set(COMMANDS)


def test_replies_that_commands_name_are_in_the_table() -> None:
    named = {address for command in COMMANDS.values() for address in command.replies}
    assert named <= set(REPLIES)
    assert not set(REPLIES) & set(COMMANDS)


def test_every_command_has_an_end() -> None:
    for command in COMMANDS.values():
        assert command.done is not None or command.replies, command.address


def test_what_repeats_or_is_optional_stands_where_it_can_be_told_apart() -> None:
    for command in COMMANDS.values():
        optional = [arg.optional for arg in command.args]
        assert optional == sorted(optional), command.address
        # A group after optional arguments could not be counted; one of size 1 leaves no room
        # for the request id.
        assert not (command.group and any(optional)), command.address
        assert len(command.group) != 1, command.address


def test_codes_in_the_sources_are_in_the_table() -> None:
    written = set()
    for path in Path(ROOT / "daemon").rglob("*.py"):
        written |= set(re.findall(r"Refusal\(\s*\"(\w+)\"", path.read_text("utf-8")))
        written |= set(re.findall(r"code=\"(\w+)\"", path.read_text("utf-8")))
    library = re.findall(r"code = \"(\w+)\"", (ROOT / "ditto_rt" / "errors.py").read_text("utf-8"))
    assert written
    assert written | set(library) - {"error"} <= set(CODES)


def test_the_document_is_the_table() -> None:
    assert (ROOT / "docs" / "protocol.md").read_text("utf-8") == document(), "run: make docs"


def test_links_inside_the_document_lead_somewhere() -> None:
    text = document()
    heads = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}
    links = re.findall(r"\]\(#([^)]+)\)", text)
    assert len(links) > len(COMMANDS)
    assert set(links) <= anchors
