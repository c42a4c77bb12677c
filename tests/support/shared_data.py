"""Real VMs, real CRDs and real processors' answers, beside the checkout, or in the folder ATMPL_SHARED."""

import os
from pathlib import Path

import pytest

_PLACE = Path(os.environ.get("ATMPL_SHARED") or Path(__file__).parents[3] / "shared")

SHARED: Path | None = _PLACE if (_PLACE / "corpus" / "INDEX.tsv").is_file() else None

needs_shared = pytest.mark.skipif(
    SHARED is None, reason=f"no real VMs and answers at {_PLACE} (ATMPL_SHARED names them)"
)


def corpus() -> list[Path]:
    """Return the files of the real VMs, in a stable order; empty where there are none."""
    return sorted((SHARED / "corpus").glob("*.yaml")) if SHARED else []
