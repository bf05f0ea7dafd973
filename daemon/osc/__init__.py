"""OSC itself, whatever the commands: packets, arguments, patterns, clients, what is sent."""
