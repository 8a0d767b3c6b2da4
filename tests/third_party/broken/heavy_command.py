"""The implementation of a command that loads torch when it is imported."""

import click
import torch


@click.command()
def heavy():
    """Print how many threads torch has."""
    click.echo(torch.get_num_threads())
