"""The table of messages: what docs/protocol.md is written from and what is checked against."""
