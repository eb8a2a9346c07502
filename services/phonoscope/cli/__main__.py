"""The `phonoscope` command with all its subcommands. Called by the console script and by `python -m phonoscope.cli`.

Help is plain text, so that it reads the same in a terminal, a log and a ticket.
"""

from typing import Annotated

import typer

import phonoscope
from phonoscope.cli.bench import bench_app
from phonoscope.cli.health import health
from phonoscope.cli.say import say
from phonoscope.cli.serve import emotion, gateway, serve
from phonoscope.cli.shared_options import plain_app
from phonoscope.cli.voices import voices_app


def main() -> None:
    """Runs the command line; exits with the status of the command."""
    command_line()(prog_name="phonoscope")


def command_line() -> typer.Typer:
    """Returns the application with all its commands."""
    app = plain_app(
        help="Text to speech over gRPC: speak, manage voices, check and benchmark a server, run the services.",
        epilog="Exit status: 0 success; 1 failure; 2 usage error; 130 interrupted. `health --help` lists its own.",
        no_args_is_help=True,
    )
    app.callback()(global_options)
    app.command("say")(say)
    app.add_typer(voices_app(), name="voices")
    app.command("health")(health)
    app.add_typer(bench_app(), name="bench")
    for name, service in (("serve", serve), ("gateway", gateway), ("emotion", emotion)):
        app.command(
            name,
            add_help_option=False,  # the service prints its own help
            context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []},
        )(service)
    return app


def print_version(is_asked: bool) -> None:  # noqa: FBT001 - typer calls it so
    """Prints the version and exits, if --version is given."""
    if is_asked:
        typer.echo(f"phonoscope {phonoscope.__version__}")
        raise typer.Exit


def global_options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", is_eager=True, callback=print_version)
    ] = False,
) -> None:
    """Text to speech over gRPC: speak, manage voices, check and benchmark a server, run the services."""


if __name__ == "__main__":
    main()
