"""What goes wrong in the service, with the codes of the protocol's table.

Refusal       a command that is not carried out; answered with /ditto/fail
ConfigError   a configuration that cannot be used; ends the program
PortTaken     a port that cannot be bound, as where another process holds it; ends the program
"""


class Refusal(Exception):
    """A command that is not carried out: code, sentence, and the request id where it is known."""

    def __init__(self, code: str, text: str, reqid: int | None = None) -> None:
        """Keep what /ditto/fail carries."""
        super().__init__(text)
        self.code = code
        self.reqid = reqid


class ConfigError(Exception):
    """A configuration file that is missing, broken, or holds a key or value that is not allowed."""


class PortTaken(Exception):
    """A port that cannot be bound; the sentence names its holder where that can be found."""
