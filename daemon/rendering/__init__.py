"""The line of renders: jobs, deadlines, what the engine delivers."""
