"""Which names belong together: brand and maker, group and subsidiary, MAC block and registrant?

Everything here was declared in signatures/ with a source; nothing is guessed from similar spelling
("Shanghai Dahua Scale Factory" makes weighing scales; facts: fingerprints, lessons).
"""

from __future__ import annotations

from camscan.model.claim import Attribute
from camscan.model.knowledge import BrandRelation, Knowledge, MacBlock

_SUPPORTING = frozenset({"own", "oem"})
"""Relation kinds under which the brand's name alone is a weak sign of the maker."""
_AGREEING = frozenset({"own", "oem", "part", "ended", "mixed", "related"})
"""Relation kinds under which brand and maker do not contradict each other."""
_MERE_CLAIM = frozenset({"weak", "unverified"})
_MAX_DEPTH = 8
_LOCAL_BIT = 0x02


class Relations:
    """Look-ups over one Knowledge."""

    def __init__(self, knowledge: Knowledge) -> None:
        self._parties = knowledge.parties
        self._platforms = knowledge.platforms
        self._party_texts: dict[str, str] = {}
        self._brand_texts: dict[str, str] = {}
        self._of_brand: dict[str, list[BrandRelation]] = {}
        self._registrant_brands: dict[str, set[str]] = {}
        self._blocks: dict[int, dict[str, MacBlock]] = {6: {}, 7: {}, 9: {}}
        for party in knowledge.parties.values():
            self._party_texts[party.id.casefold()] = party.id
        # A maker and the operator of its network may bear one name: the maker is meant by devices.
        for party in sorted(
            knowledge.parties.values(), key=lambda p: ("maker" not in p.kind, p.id)
        ):
            for text in (party.name, *party.spellings):
                self._party_texts.setdefault(text.casefold(), party.id)
        for relation in knowledge.brands:
            self._of_brand.setdefault(relation.brand.casefold(), []).append(relation)
            for text in (relation.brand, *relation.spellings):
                self._brand_texts.setdefault(text.casefold(), relation.brand)
            for registrant in relation.registrants:
                self._registrant_brands.setdefault(registrant, set()).add(relation.brand)
        for block in knowledge.mac_blocks:
            self._blocks.setdefault(len(block.prefix), {})[block.prefix.casefold()] = block

    def party(self, text: str) -> str | None:
        """Id of the party that prints exactly this text."""
        return self._party_texts.get(text.casefold())

    def brand(self, text: str) -> str:
        """The brand's name as printed in signatures/, or the text itself."""
        return self._brand_texts.get(text.casefold(), text)

    def is_maker(self, party: str) -> bool:
        found = self._parties.get(party)
        return found is not None and "maker" in found.kind

    def platform_maker(self, platform: str) -> str | None:
        found = self._platforms.get(platform)
        return found.maker if found is not None else None

    def platform_role(self, platform: str) -> str:
        found = self._platforms.get(platform)
        return found.role if found is not None else ""

    def makes_video(self, maker: str) -> bool:
        """Whether every platform of this maker runs on video devices."""
        roles = [p.role for p in self._platforms.values() if p.maker == maker]
        return bool(roles) and all(roles)

    def platform_name(self, platform: str) -> str:
        found = self._platforms.get(platform)
        return found.name if found is not None else platform

    def supported_maker(self, brand: str) -> BrandRelation | None:
        """The one relation that makes the brand a weak sign of its maker; None where makers differ."""
        relations = self._of_brand.get(brand.casefold(), [])
        makers = {r.maker for r in relations if r.kind in _AGREEING}
        chosen = [
            r for r in relations if r.kind in _SUPPORTING and r.strength in {"strong", "medium"}
        ]
        return min(chosen, key=lambda r: r.id) if len(makers) == 1 and chosen else None

    def self_named(self, brand: str) -> str | None:
        """The maker that bears the brand's name, unless more than a mere claim puts others behind it."""
        party = self.party(brand)
        if party is None or not self.is_maker(party):
            return None
        others = [r for r in self._of_brand.get(brand.casefold(), []) if r.maker != party]
        return None if any(r.strength not in _MERE_CLAIM for r in others) else party

    def makers_of_brand(self, brand: str) -> frozenset[str]:
        relations = self._of_brand.get(brand.casefold(), [])
        return frozenset(r.maker for r in relations if r.kind in _AGREEING)

    def builds(self, maker: str, party: str) -> bool:
        """Whether the second party is a brand on the platform of the first, which does not own it."""
        return not self.same_group(maker, party) and self._names_brand_of(party, maker)

    def agree(self, attribute: Attribute, left: str, right: str) -> bool:
        """Whether a declared relation joins two values of maker, platform or brand."""
        match attribute:
            case Attribute.MAKER:
                return self.same_group(left, right) or self._brand_of(left, right)
            case Attribute.PLATFORM:
                makers = self.platform_maker(left), self.platform_maker(right)
                return None not in makers and self.same_group(str(makers[0]), str(makers[1]))
            case Attribute.BRAND:
                return self._brands_agree(left, right)
            case _:
                return False

    def same_group(self, left: str, right: str) -> bool:
        """One party is the other's parent, at any distance."""
        return left == right or left in self._ancestors(right) or right in self._ancestors(left)

    def depth(self, attribute: Attribute, value: str) -> int:
        """How far below its group's head a value stands: the subsidiary says more than the parent.

        A brand that another maker builds says more than that maker's own name, which is often left
        over in the firmware.
        """
        if attribute is Attribute.BRAND:
            kinds = {r.kind for r in self._of_brand.get(value.casefold(), [])}
            return 2 if kinds - {"own"} else 1 if kinds and self.party(value) is None else 0
        if attribute is Attribute.PLATFORM:
            value = self.platform_maker(value) or value
        return len(self._ancestors(value))

    def registrant(self, mac: str) -> MacBlock | None:
        """The most specific block of a MAC; None if not listed or locally administered."""
        digits = mac.replace(":", "")
        if len(digits) != 12 or int(digits[:2], 16) & _LOCAL_BIT:
            return None
        for length in (9, 7, 6):
            if (found := self._blocks[length].get(digits[:length])) is not None:
                return found
        return None

    def registrant_brand(self, registrant: str) -> str | None:
        """The brand whose blocks carry exactly this registry name, None if none or several."""
        brands = self._registrant_brands.get(registrant, set())
        return next(iter(brands)) if len(brands) == 1 else None

    def _ancestors(self, party: str) -> tuple[str, ...]:
        found: list[str] = []
        current = self._parties.get(party)
        while current is not None and current.parent and len(found) < _MAX_DEPTH:
            if current.parent in found:
                break
            found.append(current.parent)
            current = self._parties.get(current.parent)
        return tuple(found)

    def _brand_of(self, left: str, right: str) -> bool:
        """A party named as maker may be the brand that stands on the other party's platform."""
        return self._names_brand_of(left, right) or self._names_brand_of(right, left)

    def _names_brand_of(self, party: str, maker: str) -> bool:
        found = self._parties.get(party)
        texts = (party, found.name, *found.spellings) if found is not None else (party,)
        brands = {
            self._brand_texts[t.casefold()] for t in texts if t.casefold() in self._brand_texts
        }
        return any(maker in self.makers_of_brand(brand) for brand in brands)

    def _brands_agree(self, left: str, right: str) -> bool:
        if left.casefold() == right.casefold():
            return True
        for one, other in ((left, right), (right, left)):
            owner = self.party(one)
            owners = {owner} if owner else set()
            owners |= {r.maker for r in self._of_brand.get(one.casefold(), []) if r.kind == "own"}
            if any(
                self.same_group(o, maker) for o in owners for maker in self.makers_of_brand(other)
            ):
                return True
        return False
