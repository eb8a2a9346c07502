"""The `phonoscope` command: say, voices, health, bench, serve, gateway. __main__.py registers the commands."""
