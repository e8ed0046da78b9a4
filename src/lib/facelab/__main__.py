"""``python -m facelab``: see :mod:`facelab.cli`."""

from facelab.cli import main

if __name__ == "__main__":
    main()
