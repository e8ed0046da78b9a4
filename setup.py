"""Puts into the wheel what the notebooks read of the book's data; all else about the package is in pyproject.toml."""

import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.errors import SetupError

DATA = Path(__file__).resolve().parent / "data"
# Below the package's own folder, where facelab.places looks for them. Left out: what no notebook reads.
SHIPPED = Path("facelab", "shipped")
PATTERNS = (
    "claims.yml",
    "published/*.csv",
    "results/cpu/**/*.json",
    "checkpoints/*/*",
)


class BuildWithData(build_py):
    """Copies the data beside the modules. An editable install reads the checkout's own."""

    def run(self) -> None:
        super().run()
        if self.editable_mode:
            return
        target = Path(self.build_lib) / SHIPPED
        if target.exists():
            shutil.rmtree(target)  # of an earlier build
        for pattern in PATTERNS:
            found = sorted(path for path in DATA.glob(pattern) if path.is_file())
            if not found:
                raise SetupError(f"{DATA / pattern}: expected files of the book's data; build from a whole checkout")
            for path in found:
                copy = target / path.relative_to(DATA)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)


setup(cmdclass={"build_py": BuildWithData})
