"""What a figure must be read with: machine, threads, versions, commit."""

import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import numba
import torch

PACKAGES = ("facelab", "torch", "torchvision", "numpy", "scipy", "numba", "opencv-python-headless")


def provenance(packages: Iterable[str] = PACKAGES) -> dict[str, object]:
    """As it is now; packages that are not installed are left out.

    Args:
        packages: whose versions matter, by the name they are installed under.
    """
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": {"torch": torch.get_num_threads(), "numba": numba.get_num_threads()},
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": {name: version for name in packages if (version := _version(name)) is not None},
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    """The name that Linux gives; elsewhere Python's."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")


def _commit() -> str | None:
    """Of the checkout, with ``+`` where files were changed since; None outside one."""
    here = Path(__file__).parent
    try:
        commit, changes = (
            subprocess.run(["git", "-C", here, *words], capture_output=True, text=True, check=True).stdout.strip()
            for words in (("rev-parse", "HEAD"), ("status", "--porcelain"))
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return commit + ("+" if changes else "")
