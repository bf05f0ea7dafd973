"""Where the transport's time comes from: Ableton Link, or MIDI clock. Loaded where it is asked."""
