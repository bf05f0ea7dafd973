"""What commands say: a sentence, or a table that a pipe gets in whole lines."""

from rich.console import Console
from rich.table import Table

PIPE_COLUMNS = 160


def say(what: str | Table) -> None:
    """Put a sentence or a table on standard output."""
    console = Console()
    if not console.is_terminal:
        # A pipe has no width of its own; what reads it wants whole lines.
        console = Console(width=PIPE_COLUMNS)
    console.print(what, soft_wrap=isinstance(what, str))
