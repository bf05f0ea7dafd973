"""Datagram -> commands, strictly in the order they came: one task, one command at a time.

An exact address is looked up; only one with ?*[{ in it is matched against the table. Where time
tags are not to schedule anything, a bundle for the future is carried out at once, and the log says
so once for each client.
"""

import asyncio
import logging
import time
from collections import OrderedDict

from daemon.commands.handlers import HANDLERS
from daemon.commands.mailbox import Mailbox
from daemon.commands.office import Errand, Office
from daemon.errors import Refusal
from daemon.osc import guard, pattern
from daemon.osc.arguments import read_call
from daemon.osc.clients import Address
from daemon.osc.guard import Message, OscError
from daemon.osc.outbox import Asker
from daemon.osc.rows import Command
from daemon.osc.schedule import NTP_EPOCH_S, by_time, is_immediate
from daemon.protocol.messages import COMMANDS, REPLIES

# So many datagrams in a row before the engine's events and HTTP get their turn.
TURN_DATAGRAMS = 16
EARLY_S = 0.05
# So much sooner than the player must know it a scheduled batch is carried out.
MARGIN_NS = 30_000_000
KNOWN_CLIENTS = 64
PLAY = "/ditto/play"
LOG_PAUSE_S = 1.0
STREAM_PAUSE_S = 0.2

log = logging.getLogger(__name__)


class Dispatcher:
    """Carries out what comes out of a mailbox. Owned by the event loop."""

    def __init__(self, mailbox: Mailbox, office: Office) -> None:
        """Read from `mailbox`; handlers work with `office`."""
        self._mailbox = mailbox
        self._office = office
        self._warned: OrderedDict[Address, None] = OrderedDict()
        # A datagram or a batch that was scheduled: one at a time, whoever brings it.
        self._one = asyncio.Lock()
        self._filed = asyncio.Event()
        self._refused_s: OrderedDict[Address, float] = OrderedDict()
        self._refused = 0
        self._logged_s = float("-inf")

    async def run(self) -> None:
        """Carry out datagrams until cancelled."""
        turn = 0
        while True:
            datagram, source = await self._mailbox.get()
            await self.carry_out(datagram, source)
            turn = (turn + 1) % TURN_DATAGRAMS
            if turn == 0:
                await asyncio.sleep(0)

    async def run_schedule(self) -> None:
        """Carry out what was scheduled, when it is due, until cancelled."""
        schedule = self._office.schedule
        while True:
            self._filed.clear()
            next_ns = schedule.next_ns()
            wait_s = None
            if next_ns is not None:
                wait_s = max(0.0, (next_ns - self._early_ns() - time.monotonic_ns()) / 1e9)
            try:
                await asyncio.wait_for(self._filed.wait(), wait_s)
            except TimeoutError:
                async with self._one:
                    await self._due()

    async def carry_out(self, datagram: bytes, source: Address) -> None:
        """Carry out one datagram; whatever is wrong with it is answered and not raised."""
        async with self._one:
            await self._due()
            await self._datagram(datagram, source)
            await self._due()

    async def _due(self) -> None:
        """Carry out what is due so soon that the player must know it now."""
        schedule, stage = self._office.schedule, self._office.stage
        while batch := schedule.pop(time.monotonic_ns() + self._early_ns()):
            schedule.counts.carried_out += 1
            schedule.counts.late += batch.due_ns < time.monotonic_ns() + stage.lead_ns
            for message in batch.messages:
                await self._message(message, batch.source, batch.targets, batch.due_ns)

    def _early_ns(self) -> int:
        return self._office.stage.lead_ns + MARGIN_NS

    async def _datagram(self, datagram: bytes, source: Address) -> None:
        if source[1] == self._office.own[1] and source[0] in ("127.0.0.1", self._office.own[0]):
            return
        now_s = time.monotonic()
        targets = self._office.clients.hear(source, now_s)
        self._office.tally.datagram(now_s)
        try:
            packet = guard.read(datagram)
        except OscError as error:
            self._refuse(Asker(targets, ""), "bad_packet", str(error))
            return
        for refused in packet.refused:
            self._refuse(Asker(targets, refused.address), "bad_packet", str(refused))
        if not self._office.schedule.is_on:
            self._warn_of_future(packet.time_tag, source)
            for message in packet.messages:
                await self._message(message, source, targets)
            return
        for group in by_time(packet.messages):
            if is_immediate(group):
                for message in group:
                    await self._message(message, source, targets)
            else:
                self._file(group, source, targets, len(datagram))

    def _file(
        self, group: tuple[Message, ...], source: Address, targets: tuple[Address, ...], size: int
    ) -> None:
        try:
            self._office.schedule.put(group, source, targets, size)
        except Refusal as refusal:
            for message in group:
                self._refuse(Asker(targets, message.address), refusal.code, str(refusal))
        else:
            self._foresee(group)
        self._filed.set()

    def _foresee(self, group: tuple[Message, ...]) -> None:
        """Let the player read what is to be launched later, so that it is not read then."""
        for message in group:
            if message.address == PLAY and message.arguments:
                self._office.stage.foresee(message.arguments[0])

    async def _message(
        self,
        message: Message,
        source: Address,
        targets: tuple[Address, ...],
        due_ns: int | None = None,
    ) -> None:
        asker = Asker(targets, message.address)
        try:
            commands = _commands(message.address)
        except (Refusal, OscError) as error:
            self._refuse(asker, getattr(error, "code", "bad_value"), str(error))
            return
        for command in commands:
            named = Asker(targets, command.address)
            await self._command(command, message, source, named, due_ns)

    async def _command(
        self,
        command: Command,
        message: Message,
        source: Address,
        asker: Asker,
        due_ns: int | None,
    ) -> None:
        try:
            arguments = () if command.echo else message.arguments
            call = read_call(command, arguments)
            asker = Asker(asker.targets, asker.command, call.reqid)
            self._office.tally.command(command.address)
            errand = Errand(call, asker, source, message.arguments, due_ns)
            if not command.stream:
                self._office.automation.settle()
            values = await HANDLERS[command.address](self._office, errand)
        except Refusal as refusal:
            reqid = refusal.reqid if asker.reqid is None else asker.reqid
            asker = Asker(asker.targets, asker.command, reqid)
            if not command.stream or reqid is not None or self._may_refuse(source):
                self._refuse(asker, refusal.code, str(refusal))
        except Exception as error:
            log.exception("%s failed", command.address)
            self._refuse(asker, "daemon_error", f"{type(error).__name__}: {error}")
        else:
            if values is not None and (not command.stream or asker.reqid is not None):
                self._office.outbox.done(asker, *values)

    def _may_refuse(self, source: Address) -> bool:
        """Return whether this client's stream has not been refused just now; then it is."""
        now_s = time.monotonic()
        if now_s - self._refused_s.get(source, float("-inf")) < STREAM_PAUSE_S:
            return False
        self._refused_s[source] = now_s
        self._refused_s.move_to_end(source)
        if len(self._refused_s) > KNOWN_CLIENTS:
            self._refused_s.popitem(last=False)
        return True

    def _refuse(self, asker: Asker, code: str, text: str) -> None:
        self._office.outbox.fail(asker, code, text)
        self._refused += 1
        now_s = time.monotonic()
        if now_s - self._logged_s >= LOG_PAUSE_S:
            # One line a second, however many come.
            log.warning("%s: %s: %s (%d refused)", asker.command, code, text, self._refused)
            self._refused, self._logged_s = 0, now_s

    def _warn_of_future(self, time_tag: int, source: Address) -> None:
        ahead_s = time_tag / 2**32 - NTP_EPOCH_S - time.time()
        if time_tag == guard.IMMEDIATELY or ahead_s < EARLY_S or source in self._warned:
            return
        self._warned[source] = None
        if len(self._warned) > KNOWN_CLIENTS:
            self._warned.popitem(last=False)
        log.warning(
            "%s:%d sends bundles for the future (%.3g s ahead); all are carried out at once, "
            'unless the configuration says osc.time_tags = "schedule"',
            *source,
            ahead_s,
        )


def _commands(address: str) -> list[Command]:
    """Return the commands an address means.

    Raises Refusal where there is none, OscError where it is a broken pattern.
    """
    if address in COMMANDS:
        return [COMMANDS[address]]
    if address in REPLIES:
        # Never answered: two daemons that got each other's ports would talk for ever.
        return []
    found: list[Command] = []
    if pattern.is_pattern(address):
        names = (name for name, command in COMMANDS.items() if not command.exact)
        found = [COMMANDS[name] for name in pattern.matching(address, names)]
    if not found:
        text = f"address {address!r:.120} is no command; allowed: those that /ditto/help lists"
        raise Refusal("unknown_command", text)
    return found
