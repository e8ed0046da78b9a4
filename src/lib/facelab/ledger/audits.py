"""The papers' own arithmetic, checked: sums, means, ratios, bounds. Nothing here needs a trained network."""

from facelab.ledger.audits_anisotropic import anisotropic_audits
from facelab.ledger.audits_anisotropic_text import anisotropic_text_audits
from facelab.ledger.audits_arithmetic import Audit
from facelab.ledger.audits_cln import cln_audits
from facelab.ledger.audits_fan import fan_audits
from facelab.ledger.audits_tddfa import tddfa_audits
from facelab.ledger.audits_two_stage import two_stage_audits

__all__ = ["Audit", "audits"]


def audits() -> list[Audit]:
    """All audits, in the order of the papers: each is computed from :func:`~facelab.ledger.published` when called."""
    return [
        *two_stage_audits(),
        *fan_audits(),
        *anisotropic_audits(),
        *anisotropic_text_audits(),
        *tddfa_audits(),
        *cln_audits(),
    ]
