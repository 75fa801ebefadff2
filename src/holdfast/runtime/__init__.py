"""Floor 4: shells. They own time, sockets and tasks, and hold no trading rule."""
