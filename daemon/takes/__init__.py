"""Takes on disk and in shared memory, and the slots that they are for."""
