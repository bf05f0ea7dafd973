"""What the built-in model shows on seeds it never saw: `ditto-rt evaluate model`."""
