"""What goes on by itself: automation and endless slots."""
