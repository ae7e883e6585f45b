"""Runs `python -m camscan` as the console script does."""

from __future__ import annotations

from camscan.cli.main import main

if __name__ == "__main__":
    main()
