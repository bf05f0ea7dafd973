"""The part of the protocol's table that is about scenes."""

from daemon.osc.rows import Arg, Command, Reply, integer, number, text
from ditto_rt import limits

STATES = ("saved", "comes", "plays", "deleted")

_NAME = Arg(
    "name",
    "text",
    f"of the scene, {limits.SCENE_NAME}; may come as several words, or as a number",
    words=True,
)
_SLOTS = integer("slots", "how many slots it holds")
_PLAYS = integer("plays", "how many of them play")

COMMANDS = (
    Command(
        "/ditto/scene/save",
        (_NAME,),
        "Keeps all slots: takes, what was set, gains, what plays, and the tempo. One of the same "
        "name is replaced.",
        done=(text("name", "as it is kept"), _SLOTS, _PLAYS),
    ),
    Command(
        "/ditto/scene/recall",
        (
            _NAME,
            Arg(
                "quantum_beats",
                "float",
                "waits for the next multiple of so many beats; 0: at once; without it, 4",
                limits.QUANTUM_BEATS,
                (),
                True,
            ),
        ),
        "Sets all slots of a scene as they were, and lets them play and stop on one beat; slots "
        "that are not in it stop on that beat, too. The transport gets the scene's tempo there. "
        "Renders of its slots are cancelled.",
        done=(
            text("name", "as it is kept"),
            _PLAYS,
            number("beat", "of the transport, on which all changes; -1: nothing can be heard"),
        ),
    ),
    Command(
        "/ditto/scene/list",
        (),
        "Asks which scenes there are, one reply for each, by name.",
        done=(integer("scenes", "how many"),),
        replies=("/ditto/scene/list.reply",),
    ),
    Command(
        "/ditto/scene/delete",
        (_NAME,),
        "Deletes a scene, and the sound that nothing else needs. What plays goes on.",
        done=(text("name", "as it was kept"),),
    ),
)

REPLIES = (
    Reply(
        "/ditto/scene/list.reply",
        (
            text("name", "of the scene"),
            _SLOTS,
            _PLAYS,
            number("bpm", "tempo of the transport", limits.BPM),
        ),
        "",
    ),
    Reply(
        "/ditto/scene",
        (
            text("state", "comes: it was recalled; plays: its beat is there", STATES),
            text("name", "of the scene"),
            _PLAYS,
            number("beat", "of the transport, on which it plays; -1: none"),
        ),
        "An event for registered clients. The takes of a scene that is recalled are told, too, as "
        "/ditto/take.",
    ),
)
