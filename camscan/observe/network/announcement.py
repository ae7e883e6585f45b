"""What does one announcement protocol send, to which groups, and which answers are its own?"""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from camscan.model.observation import Kind
from camscan.observe.wire.answer import Search

BROADCAST = "255.255.255.255"


class Announcement(Struct, frozen=True, kw_only=True):
    """One protocol of facts: discovery 1. Only its search message exists here."""

    name: str
    kind: Kind
    groups: tuple[str, ...]
    """Empty: nothing is sent, devices announce themselves; `answer_port` is where."""
    ports: tuple[int, ...]
    """Every group is asked at every port."""
    messages: Callable[[str], tuple[bytes, ...]]
    """Search messages, given the own IPv4 address they leave from."""
    accepts: Callable[[bytes], bool]
    """Whether a datagram can be an answer: by its form, searches of others left out."""
    answer_port: int = 0
    """Fixed port answers go to; 0 = the port the search left from."""
    joins: tuple[str, ...] = ()
    """Groups answers are sent to."""
    unicast: Callable[[], bytes] | None = None
    """The form for one device, where it differs from the first message."""
    source: str

    @property
    def listens(self) -> bool:
        """Whether nothing is sent for it."""
        return not self.groups

    def search(self, own: str = "0.0.0.0") -> Search:
        """The message for one device."""
        message = self.unicast() if self.unicast is not None else self.messages(own)[0]
        return Search(
            message=message,
            request=f"{self.name} search",
            answer_port=self.answer_port,
            accepts=self.accepts,
        )
