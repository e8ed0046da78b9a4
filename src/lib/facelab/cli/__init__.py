"""The command line: ``python -m facelab COMMAND``.

Commands import what they need when they run, so that help and errors come at once.
"""

import click

from facelab.cli.bench import bench
from facelab.cli.data import data
from facelab.cli.evaluating import evaluate
from facelab.cli.faces import faces
from facelab.cli.ledger import ledger
from facelab.cli.predicting import predict
from facelab.cli.training import recipes, ship, train


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Face alignment in five papers: train, evaluate and use their networks; faces, data sets, measurements."""


for _command in (train, evaluate, predict, ship, recipes, data, faces, ledger, bench):
    cli.add_command(_command)


def main() -> None:
    """Runs the command line."""
    cli(prog_name="python -m facelab")
