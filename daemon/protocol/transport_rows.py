"""The part of the protocol's table that is about the transport and what it follows."""

from daemon.osc.rows import BPM, Arg, Command, Reply, integer, number, text
from ditto_rt import limits

SOURCES = ("own", "link", "midi")
STATES = ("own", "joining", "following", "lost", "missing")

_EFFECT = number("beat", "of the transport, on which it takes effect")

COMMANDS = (
    Command(
        "/ditto/transport",
        (),
        "Asks what the transport follows, and how well.",
        done=None,
        replies=("/ditto/transport.reply",),
    ),
    Command(
        "/ditto/transport/source",
        (text("source", "own clock, Ableton Link, or MIDI clock", SOURCES),),
        "Chooses what the transport follows. What plays goes on; a jump of the beat is told.",
        done=(text("source", "which it follows now"),),
    ),
    Command(
        "/ditto/transport/tempo",
        (BPM,),
        "Changes the transport's tempo at once, with Link that of all peers; the beat does not "
        "jump. Takes keep their own.",
        done=(_EFFECT,),
    ),
    Command(
        "/ditto/transport/start",
        (Arg("beat", "float", "where; without it, where it is", limits.TRANSPORT_BEAT, (), True),),
        "Lets the transport run. It runs when the daemon starts.",
        done=(number("beat", "from which it runs"),),
    ),
    Command(
        "/ditto/transport/stop",
        (),
        "Lets the transport stand still and silences all slots.",
        done=(number("beat", "on which it stands"),),
    ),
    Command(
        "/ditto/transport/beat",
        (number("beat", "which it is now", limits.TRANSPORT_BEAT),),
        "Sets the transport's beat. What plays goes on; what is planned follows the beat.",
        done=(number("beat", "which it is now"),),
    ),
)

REPLIES = (
    Reply(
        "/ditto/transport.reply",
        (
            text("source", "what it follows", SOURCES),
            BPM,
            number("beat", "of the transport, now"),
            integer("running", "1 or 0"),
            text("state", "missing: the one of the configuration cannot be had", STATES),
            integer("peers", "others in the Link session; 1 for a MIDI clock that comes in"),
            number("error_ms", "by how much it was behind the source a moment ago"),
            text("text", "what is wrong or unusual with the source, '' for nothing"),
        ),
        "Also an event for registered clients, when the source, its state or this text changes.",
    ),
    Reply(
        "/ditto/transport/jumped",
        (
            number("from_beat", "of the old count"),
            number("to_beat", "of the new one on the same frame"),
            number("beats", "the size of the jump"),
        ),
        "An event for registered clients: the transport went to where its source is. What is "
        "planned goes to the next multiple of its quantum, what plays goes on.",
    ),
)
