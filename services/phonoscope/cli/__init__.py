"""The `phonoscope` command: say, voices, health, serve. One file per command; __main__.py puts them together."""
