"""Groups of flags: a command takes one parameter, and the command line has a flag for each of the group's fields.

Used by `phonoscope say` and `phonoscope bench`, so that their bodies deal with a few records instead of dozens of
values. Typer reads flags from a signature only; the decorator gives it one.
"""

import functools
import inspect
from collections.abc import Callable

Command = Callable[..., None]


def with_flags(**groups: Callable[..., object]) -> Callable[[Command], Command]:
    """Returns a decorator that replaces parameters of a command by the flags of their groups.

    Args:
        groups: by the name of the command's parameter, what builds its value. Its own keyword arguments are the flags,
            declared as Typer expects them: a dataclass whose fields are `Annotated` with `typer.Option` is a group.
    """
    flags = {name: inspect.signature(group).parameters for name, group in groups.items()}

    def decorate(command: Command) -> Command:
        @functools.wraps(command)
        def run(**arguments: object) -> None:
            for name, build in groups.items():
                arguments[name] = build(**{flag: arguments.pop(flag) for flag in flags[name]})
            command(**arguments)

        signature = inspect.signature(command)
        expanded: list[inspect.Parameter] = []
        for parameter in signature.parameters.values():
            group = flags.get(parameter.name, {parameter.name: parameter})
            expanded.extend(flag.replace(kind=inspect.Parameter.KEYWORD_ONLY) for flag in group.values())
        run.__signature__ = signature.replace(parameters=expanded)  # type: ignore[attr-defined]  # PEP 362
        return run

    return decorate
