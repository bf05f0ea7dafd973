"""The long-running service: OSC and HTTP in, jobs to the engine, takes out."""
