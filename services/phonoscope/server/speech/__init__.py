"""One request from text to audio: the request's way through the server, above the scheduler."""
