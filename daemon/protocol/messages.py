"""The OSC protocol as one table; argument checks, docs/protocol.md and tests are made from it.

A command's arguments come in this order: required ones, optional ones, groups that repeat, and
the request id, an int that every command takes last and that its replies echo.
"""

from daemon.osc.rows import (
    BPM,
    CONTROLS,
    ITERATIONS,
    MODE,
    ON,
    PATH,
    PORT,
    SLOT,
    SYNC_ID,
    TAGS,
    Command,
    integer,
    number,
    text,
)
from daemon.protocol import automation_rows, playing_rows
from daemon.protocol import scenes_rows as scene_rows
from daemon.protocol.replies import CODES, REPLIES
from ditto_rt import limits
from ditto_rt.limits import Range

__all__ = ["CODES", "COMMANDS", "REPLIES"]

_COMMANDS = (
    Command(
        "/ditto/notify",
        (
            integer("on", "1 registers, 0 forgets", ON),
            integer("port", "where you listen; without it, the port you send from", PORT, True),
            text("name", "a name for the log", optional=True),
        ),
        "Says where replies to this sender go, and asks for events.",
        done=(integer("port", "where replies go from now on"),),
    ),
    Command(
        "/ditto/ping",
        (),
        "Comes back as /ditto/pong with the same arguments.",
        done=None,
        replies=("/ditto/pong",),
        echo=True,
    ),
    Command(
        "/ditto/version",
        (),
        "Asks which daemon and which protocol this is.",
        done=None,
        replies=("/ditto/version.reply",),
    ),
    Command(
        "/ditto/status",
        (),
        "Asks how the daemon is; answered also while the model loads.",
        done=None,
        replies=("/ditto/status.reply",),
    ),
    Command(
        "/ditto/help",
        (text("address", "a command; without it, all", optional=True),),
        "Asks what a command takes, one reply for each command.",
        replies=("/ditto/help.reply",),
    ),
    Command(
        "/ditto/sync",
        (integer("id", "comes back", SYNC_ID),),
        "Comes back when all that was sent before is finished, renders too.",
        done=None,
        replies=("/ditto/synced",),
        later=True,
    ),
    Command(
        "/ditto/slot/tags",
        (SLOT, TAGS),
        "Sets genre and mood. Words the model does not know are named in the reply.",
        done=(
            SLOT,
            text("tags", "what was understood"),
            text("unknown", "words that were not, with commas; '' for none"),
        ),
    ),
    Command(
        "/ditto/slot/tempo",
        (SLOT, BPM, number("beats", "length of the take", limits.BEATS)),
        f"Sets the take's tempo and length, together {limits.TAKE_S}.",
        done=(SLOT, number("seconds", "length of the take")),
    ),
    Command(
        "/ditto/slot/seed",
        (SLOT, integer("seed", "same seed, same take on the same device", limits.SEED)),
        "Sets the random start of the search.",
        done=(SLOT,),
    ),
    Command(
        "/ditto/slot/region",
        (
            SLOT,
            PATH,
            number("start_s", "where the region begins", limits.REGION_S),
            number("end_s", "where it ends", limits.REGION_S),
            MODE,
        ),
        "Sets a part of a WAV, FLAC, AIFF or MP3 file to work from.",
        done=(SLOT, number("file_s", "length of the file")),
    ),
    Command(
        "/ditto/slot/region_beats",
        (
            SLOT,
            PATH,
            number("start_beat", "where the region begins", Range(0, 36_000, "beats")),
            number("end_beat", "where it ends", Range(0, 36_000, "beats")),
            number("bpm", "tempo of the file, whose first sample is beat 0", limits.BPM),
            MODE,
        ),
        "The same with the region in beats of the file.",
        done=(SLOT, number("file_s", "length of the file")),
    ),
    Command(
        "/ditto/slot/intensity",
        (SLOT,),
        "Sets the loudness curve: breakpoints in rising order, joined by straight lines in dB.",
        done=(SLOT, integer("points", "number of breakpoints")),
        group=(
            number("beat", "time in the take", limits.POINT_BEAT),
            number("db", "loudness, RMS below full scale", limits.INTENSITY_DB),
        ),
    ),
    Command(
        "/ditto/slot/melody",
        (SLOT,),
        "Sets the notes whose pitch classes the take should follow.",
        done=(SLOT, integer("notes", "number of notes")),
        group=(
            integer("pitch", "60 is middle C", limits.PITCH),
            number("beat", "when it begins", limits.POINT_BEAT),
            number("beats", "how long it is", limits.NOTE_BEATS),
        ),
    ),
    Command(
        "/ditto/slot/melody_file",
        (SLOT, PATH),
        "Sets the notes from a MIDI file.",
        done=(SLOT, integer("notes", "number of notes")),
    ),
    Command(
        "/ditto/slot/structure",
        (SLOT, text("pattern", "2 to 16 letters; equal letters sound alike, as in ABBA")),
        "Sets the form: sections of equal length.",
        done=(SLOT,),
    ),
    Command(
        "/ditto/slot/loop",
        (SLOT, number("overlap_s", "how much of the start the end must lead to", limits.OVERLAP_S)),
        "Makes the take's end lead back to its own start, with no reference.",
        done=(SLOT,),
    ),
    Command(
        "/ditto/slot/quality",
        (
            SLOT,
            integer(
                "steps",
                "of what is heard; a search may use fewer (`search_steps` in config.toml)",
                limits.STEPS,
            ),
            integer("iterations", "of the search; -1: as many as the controls want", ITERATIONS),
        ),
        "Sets how much work a take may cost.",
        done=(SLOT,),
    ),
    Command(
        "/ditto/slot/guidance",
        (SLOT, number("guidance", "the range that the model learned; 1 is none", limits.GUIDANCE)),
        "Sets how strictly the tags are followed.",
        done=(SLOT,),
    ),
    Command(
        "/ditto/slot/clear",
        (SLOT, text("control", "what to forget", CONTROLS)),
        "Forgets one control, or all that was set in the slot.",
        done=(SLOT,),
    ),
    Command(
        "/ditto/slot/get",
        (SLOT,),
        "Asks what is set in a slot.",
        done=None,
        replies=("/ditto/slot/get.reply",),
    ),
    Command(
        "/ditto/slot/last",
        (SLOT,),
        "Asks for the slot's newest take again.",
        done=None,
        replies=("/ditto/take",),
    ),
    Command(
        "/ditto/render",
        (SLOT,),
        "Makes a take of what is set. On a slot that is rendering it replaces that job.",
        done=(SLOT, integer("version", "number of the take")),
        replies=("/ditto/queued", "/ditto/progress", "/ditto/take"),
        later=True,
    ),
    Command(
        "/ditto/render_by",
        (
            SLOT,
            number(
                "deadline_beats",
                "be ready by the next multiple of so many beats; 0: by the end of the loop",
                limits.QUANTUM_BEATS,
            ),
        ),
        "The same, in time: the best that is found until then is the take. /ditto/deadline says "
        "by which beat; one that is too near for any version is left out. The beat is kept "
        "where the tempo changes, and /ditto/deadline comes again.",
        done=(
            SLOT,
            integer("version", "number of the take"),
            integer("kept", "1: a version was there in time, 0: it was not"),
        ),
        replies=("/ditto/queued", "/ditto/deadline", "/ditto/progress", "/ditto/take"),
        later=True,
    ),
    Command(
        "/ditto/cancel",
        (SLOT,),
        "Stops the slot's render, which answers /ditto/fail with code cancelled.",
        done=(SLOT, integer("stopped", "1: a render was stopped, 0: there was none")),
    ),
    *automation_rows.COMMANDS,
    *playing_rows.COMMANDS,
    *scene_rows.COMMANDS,
    Command(
        "/ditto/clear_sched",
        (),
        "Forgets all that waits for its time tag; each of it answers /ditto/fail cancelled.",
        done=(integer("cleared", "how many messages that were"),),
    ),
    Command(
        "/ditto/quit",
        (),
        "Stops the daemon. An address pattern such as /ditto/* does not reach it.",
        exact=True,
    ),
)

COMMANDS = {command.address: command for command in _COMMANDS}
