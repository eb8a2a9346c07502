"""The `phonoscope` command: say, voices, health, bench, serve. One file per command; __main__.py joins them."""
