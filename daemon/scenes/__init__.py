"""Scenes: all slots as they were, with all that is needed to play them again."""
