"""The ledger of claims: what the papers print, what was measured here, and the verdict that follows."""

from facelab.ledger.audits import Audit, audits
from facelab.ledger.claims import Claim, Control, Measurement, Predicate, Printed, claims
from facelab.ledger.published import PAPERS, Cell, published
from facelab.ledger.results import Quantity, Result, results, save_result
from facelab.ledger.verdicts import VERDICTS, Entry, Estimate, ledger, quote
from facelab.places import data_folder

__all__ = [
    "PAPERS",
    "VERDICTS",
    "Audit",
    "Cell",
    "Claim",
    "Control",
    "Entry",
    "Estimate",
    "Measurement",
    "Predicate",
    "Printed",
    "Quantity",
    "Result",
    "audits",
    "claims",
    "data_folder",
    "ledger",
    "published",
    "quote",
    "results",
    "save_result",
]
