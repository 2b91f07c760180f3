"""What would change in a job's file."""

from __future__ import annotations

import difflib

from rota.model.proposal import Proposal


def diff_of(proposal: Proposal) -> str:
    """What would change in the job's file, as a unified diff; empty where no file changes."""
    if proposal.path is None or (proposal.before is None and proposal.after is None):
        return ""
    old, new = (
        proposal.path if text is not None else "/dev/null" for text in (proposal.before, proposal.after)
    )
    lines = difflib.unified_diff(
        (proposal.before or "").splitlines(), (proposal.after or "").splitlines(), old, new, lineterm=""
    )
    return "\n".join(lines)
