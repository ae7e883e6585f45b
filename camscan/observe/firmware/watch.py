"""How much of the budget of an image is used up, and which limit was hit?"""

from __future__ import annotations

import time

from camscan.errors import DecodeError
from camscan.observe.firmware.entry import Budget


class BudgetError(DecodeError):
    """A limit of the budget was reached; `final` ends the whole image, else only this part is left out."""

    def __init__(self, message: str, *, final: bool) -> None:
        super().__init__(message)
        self.final = final


class NoLibraryError(DecodeError):
    """The form is known, but nothing installed here reads it."""


class EncryptedError(DecodeError):
    """The part says of itself that it is encrypted."""


class PartialError(DecodeError):
    """A file is damaged; `data` is what could be read of it."""

    def __init__(self, message: str, data: bytes | memoryview) -> None:
        super().__init__(message)
        self.data = data


class Watch:
    """Counts what one image has cost so far."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.expanded = 0
        self.files = 0
        self._end = time.monotonic() + budget.seconds

    def tick(self) -> None:
        """Called at least once for every piece of work of bounded size."""
        if time.monotonic() > self._end:
            raise BudgetError(f"more than {self.budget.seconds:g} s", final=True)

    def entry(self) -> None:
        """One more file, link or directory."""
        self.files += 1
        if self.files > self.budget.files:
            raise BudgetError(f"more than {self.budget.files} files", final=True)
        if not self.files & 0x3F:
            self.tick()

    def grow(self, size: int) -> None:
        """So many bytes were expanded."""
        self.expanded += size
        if self.expanded > self.budget.expanded:
            raise BudgetError(f"more than {self.budget.expanded} bytes expanded", final=True)
        self.tick()

    def room(self) -> int:
        """How many bytes the next file or stream may have."""
        return max(0, min(self.budget.one, self.budget.expanded - self.expanded))

    def fits(self, size: int) -> None:
        """Refuse a file of this stated size before a byte of it is read; a lie ends nothing else."""
        if size > self.budget.one:
            raise BudgetError(f"{size} bytes in one piece", final=False)
        if size > self.budget.expanded - self.expanded:
            text = f"with its {size} bytes more than {self.budget.expanded} are expanded"
            raise BudgetError(text, final=False)
