"""OSC packets made by hand: those of daemon.bench, which share no code with the guard."""

from daemon.bench.osc_bytes import bundle, message, mutated, random_packet, text

__all__ = ["bundle", "message", "mutated", "random_packet", "text"]
