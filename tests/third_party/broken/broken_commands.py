"""Commands: one that is right, and what goes wrong with them."""

import click

from texprior.plugin import Command, hookimpl

CAUGHT_BY = {
    "right": [],
    "family": [],
    "function": ["command.click"],
    "missing": ["command.click"],
    "silent": ["command.help"],
    "helpless": ["command.help"],
    "heavy": ["command.light"],
    "doctor": ["command.name"],
}
HERE = {name: f"{__name__}:{name}" for name in CAUGHT_BY}


@click.command()
@click.argument("picture")
def right(picture):
    """Print the name of a picture."""
    click.echo(picture)


@click.group()
def family():
    """Several commands."""


family.add_command(right)


def function():
    """A function, not a command."""


@click.command()
def silent():
    click.echo("What am I?")


@click.command(add_help_option=False)
def helpless():
    """Refuse ``--help``."""


@click.command()
def doctor():
    """Do what another command of this name does not."""


@hookimpl
def texprior_commands():
    where = HERE | {"heavy": "heavy_command:heavy"}
    return [Command(name, where[name], summary="Prints.", api=2) for name in CAUGHT_BY]
