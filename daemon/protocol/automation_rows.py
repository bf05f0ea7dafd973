"""The part of the protocol's table that is about live automation."""

from daemon.osc.rows import SLOT, Command, integer, number
from ditto_rt import limits

COMMANDS = (
    Command(
        "/ditto/automation",
        (
            SLOT,
            number("beat", "where, also counted beyond the loop's end", limits.TRANSPORT_BEAT),
            number("value", "wanted intensity there, RMS below full scale", limits.INTENSITY_DB),
        ),
        "Writes the intensity curve while it plays: heard at once, then rendered.",
        done=(SLOT, number("beat", "of the loop, on which it was laid")),
        stream=True,
    ),
    Command(
        "/ditto/automation/clear",
        (SLOT,),
        "Forgets what was streamed; the curve that was drawn before is back.",
        done=(SLOT, integer("points", "of that curve, 0 for none")),
    ),
)
