"""The part of the protocol's table that the daemon sends: replies, events and error codes."""

from daemon.osc.rows import BPM, COMMAND, LOSS, SENTENCE, SLOT, STATES, Reply, integer, number, text
from daemon.protocol import playing_rows
from daemon.protocol import scenes_rows as scene_rows

_REPLIES = (
    Reply("/ditto/done", (COMMAND,), "Finished; the command's own values follow.", True),
    Reply(
        "/ditto/fail",
        (COMMAND, text("code", "one of the codes below"), SENTENCE),
        "Refused or failed; the daemon goes on.",
        True,
    ),
    Reply(
        "/ditto/queued",
        (COMMAND, integer("depth", "jobs before this one")),
        "Accepted; a long job begins.",
        True,
    ),
    Reply(
        "/ditto/deadline",
        (
            SLOT,
            number("beat", "of the transport, by which a take will be ready"),
            number("seconds", "until then"),
        ),
        "What a /ditto/render_by aims at; again where the transport moves it.",
    ),
    Reply(
        "/ditto/progress",
        (SLOT, number("fraction", "0 to 1"), LOSS),
        "At most five a second.",
    ),
    Reply(
        "/ditto/take",
        (
            SLOT,
            integer("version", "counts up in each slot"),
            text("path", "absolute path of a 32-bit float WAV file"),
            integer("frames", "its length"),
            integer("rate", "its sample rate in Hz"),
            LOSS,
            integer("final", "1: the render's last version; 0: a better one is searched for"),
            number("error_db", "distance from the loudness curve, root mean square; -1: none"),
            number("melody", "share of the notes' time with the right pitch; -1: no melody"),
            number("form", "squared distance from the form's self-similarity; -1: no form"),
        ),
        "A version can be heard, and its file is whole. A render sends one at once and better ones "
        "as they are found, at most one for each pass over the take. Where final is 0 the file is "
        "in shared memory and goes when newer ones come. The last four are measured from the "
        "sound. Registered clients get those of others too.",
    ),
    Reply(
        "/ditto/pong",
        (),
        "The arguments of /ditto/ping (T and F as 1 and 0, 64-bit numbers as i or f).",
    ),
    Reply(
        "/ditto/version.reply",
        (
            text("name", "ditto-rt"),
            integer("major", "version"),
            integer("minor", "version"),
            integer("patch", "version"),
            integer("protocol", "number of this protocol"),
        ),
        "",
    ),
    Reply(
        "/ditto/status.reply",
        (
            text("state", "of the engine", STATES[:4]),
            text("model", "its name; '' while it loads"),
            text("device", "cpu, cuda or mps; '' while it loads"),
            integer("queue", "jobs that wait or run"),
            integer("jobs_done", "takes made since the start"),
            integer("dropped", "datagrams lost because too many came at once"),
        ),
        "",
    ),
    Reply(
        "/ditto/help.reply",
        (
            text("address", "the command"),
            text("arguments", "as name:type, optional ones in brackets, repeated ones in ()*"),
            text("meaning", "one sentence"),
        ),
        "",
    ),
    Reply("/ditto/synced", (integer("id", "the one that was sent"),), ""),
    Reply(
        "/ditto/slot/get.reply",
        (
            SLOT,
            integer("version", "of the newest take, 0 for none"),
            text("state", "of its job", ("idle", "waiting", "rendering")),
            text("tags", "genre and mood"),
            BPM,
            number("beats", "length of a take"),
            integer("seed", "random start"),
            text("mode", "of the region, '' for none"),
            text("path", "of the region, '' for none"),
            integer("points", "of the intensity curve, 0 for none"),
            integer("notes", "of the melody, 0 for none"),
            text("pattern", "of the structure, '' for none"),
            number("overlap_s", "of the loop, 0 for none"),
        ),
        "",
    ),
    Reply(
        "/ditto/state",
        (text("state", "of the engine", STATES), text("text", "why, '' where it is no problem")),
        "An event for registered clients: the engine's state changed, or the daemon stops.",
    ),
    *playing_rows.REPLIES,
    *scene_rows.REPLIES,
)

REPLIES = {reply.address: reply for reply in _REPLIES}

CODES = {
    "bad_packet": "the datagram is broken; nothing of it was carried out",
    "unknown_command": "no command has this address",
    "missing_argument": "an argument is not there",
    "too_many_arguments": "more arguments than the command takes",
    "bad_type": "an argument has the wrong type",
    "out_of_range": "a number is outside its range",
    "bad_value": "a value makes no sense, alone or beside the others",
    "bad_file": "a file is missing, not allowed, or of the wrong kind",
    "bad_region": "the region is outside its file",
    "bad_target": "a curve, melody or form does not fit the take",
    "no_take": "the slot has no take yet",
    "no_scene": "no scene has this name",
    "no_source": "what the transport should follow cannot be had",
    "no_audio": "there is nothing to play on",
    "no_model": "the model cannot be loaded",
    "replaced": "a newer /ditto/render on the slot took its place",
    "cancelled": "/ditto/cancel or /ditto/clear_sched stopped it",
    "engine_died": "the engine ended in the middle of the job, twice, and is started again",
    "engine_error": "the engine met an error of its own; the log has its story",
    "no_memory": "the take does not fit into the device's memory, even with less work",
    "no_device": "the device that the configuration asks for is not there",
    "daemon_error": "the daemon met an error of its own; the log has its story",
    "disk": "a file could not be written; a take plays from memory where there was room",
    "busy": "too many are there already, or another process is at it",
    "stopping": "the daemon is about to end",
}
