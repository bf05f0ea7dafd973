"""The processes that work for the control process."""
