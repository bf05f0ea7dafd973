"""From a datagram to what it does."""
