"""What the ledger asks of the experiments of a paper, and what these give, by experiment and name of the quantity."""

from collections.abc import Mapping

from facelab.ledger import Quantity, claims

Place = tuple[str, str]
Experiments = Mapping[str, Mapping[str, Quantity]]


def asked_of(paper: str) -> dict[Place, str]:
    """The units of all that the claims of a paper ask for, the controls too."""
    asked: dict[Place, str] = {}
    for claim in claims():
        if claim.paper == paper and (measurement := claim.measurement):
            asked[measurement.experiment, measurement.quantity] = measurement.unit
            if measurement.control:
                asked[measurement.experiment, measurement.control.quantity] = measurement.unit
    return asked


def _flat(experiments: Experiments) -> dict[Place, Quantity]:
    return {
        (experiment, name): quantity
        for experiment, quantities in experiments.items()
        for name, quantity in quantities.items()
    }


def values_of(experiments: Experiments) -> dict[Place, tuple[float, ...]]:
    """The numbers of all quantities."""
    return {place: quantity.values for place, quantity in _flat(experiments).items()}


def units_of(experiments: Experiments) -> dict[Place, str]:
    """The units of all quantities."""
    return {place: quantity.unit for place, quantity in _flat(experiments).items()}
