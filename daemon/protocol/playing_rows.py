"""The part of the protocol's table that is about playing."""

from daemon.osc.rows import BPM, ON, SLOT, Command, Reply, integer, number, text
from daemon.protocol import transport_rows
from ditto_rt import limits

OUTPUTS = ("off", "starting", "on", "none")

_QUANTUM = number(
    "quantum_beats",
    "waits for the next multiple of so many beats; 0: at once",
    limits.QUANTUM_BEATS,
)
_EFFECT = number("beat", "of the transport, on which it takes effect")

COMMANDS = (
    Command(
        "/ditto/play",
        (SLOT, _QUANTUM),
        "Launches the slot's newest take as a loop, on a beat. Starts the transport.",
        done=(
            SLOT,
            integer("version", "of the take"),
            _EFFECT,
            number("bpm", "tempo of the take"),
            integer("in_time", "1: that is the transport's tempo, 0: it is not, and beats drift"),
        ),
    ),
    Command(
        "/ditto/stop",
        (SLOT, _QUANTUM),
        "Silences the slot on a beat.",
        done=(SLOT, _EFFECT),
    ),
    Command(
        "/ditto/gain",
        (SLOT, number("db", "0 is as the take was made; the lowest is silence", limits.GAIN_DB)),
        "Sets how loud the slot plays, from that beat on within 20 ms.",
        done=(SLOT, _EFFECT),
    ),
    Command(
        "/ditto/rollback",
        (SLOT,),
        "Goes back to the take before, at the end of the loop that plays.",
        done=(SLOT, integer("version", "of that take"), _EFFECT),
    ),
    Command(
        "/ditto/endless",
        (SLOT, integer("on", "1: each pass is continued by a new one, 0: what plays repeats", ON)),
        "Lets a slot go on without repeating: segments as long as its beats continue what plays, "
        "under what is set when each is begun. Where the engine is late the last bars repeat.",
        done=(SLOT, integer("on", "1 or 0")),
    ),
    Command(
        "/ditto/panic",
        (),
        "Silences all slots within one block of the device and forgets what was planned.",
    ),
    *transport_rows.COMMANDS,
    Command(
        "/ditto/audio",
        (),
        "Asks what the daemon plays on.",
        done=None,
        replies=("/ditto/audio.reply",),
    ),
)

REPLIES = (
    *transport_rows.REPLIES,
    Reply(
        "/ditto/audio.reply",
        (
            text("state", "none: there is no device; off: by the configuration", OUTPUTS),
            text("device", "its name, '' for none"),
            integer("rate", "in Hz"),
            integer("block", "frames that it asks for at a time"),
            number("latency_s", "from the player to the device's output, as the device says"),
            integer("underruns", "gaps that the device has told of since it was opened"),
            integer("late", "changes that came after their beat since then"),
            text("text", "why nothing can be heard, '' where something can"),
            integer(
                "clipped", "frames louder than full scale since then: a slot's gain is too high"
            ),
        ),
        "",
    ),
    Reply(
        "/ditto/slot/state",
        (
            SLOT,
            integer("playing", "1 or 0"),
            integer("version", "of the take that plays, 0 for none"),
            integer("next_version", "of the take that comes; 0: silence, -1: nothing is planned"),
            number("next_beat", "when it comes; -1: nothing is planned"),
        ),
        "An event for registered clients: what a slot plays has changed, or what it will play.",
    ),
    Reply(
        "/ditto/slot/endless",
        (
            SLOT,
            integer("on", "1 or 0"),
            integer("segments", "planned since it was turned on"),
            integer("behind", "how often the last one has repeated, because none came in time"),
        ),
        "An event for registered clients: an endless slot was turned on or off, has a new segment, "
        "or waits for one.",
    ),
    Reply(
        "/ditto/heartbeat",
        (
            number("beat", "of the transport"),
            BPM,
            integer("running", "1 or 0"),
            text("audio", "as in /ditto/audio.reply", OUTPUTS),
            integer("underruns", "as in /ditto/audio.reply"),
        ),
        "An event for registered clients, once a second.",
    ),
)
