"""One request from text to audio: its path through the server, above the scheduler."""
