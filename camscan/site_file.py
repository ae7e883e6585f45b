"""What does a commented site file look like, for people to fill in?"""

from __future__ import annotations

TEMPLATE = """\
# What only people know of a site. Everything here is printed as declared, never as found.
# Use it with: camscan scan ... --site site.toml, or camscan assess RUN --site site.toml

# The body whose network this is, and the name of the site.
owner = ""
name = ""

# Whose rules are printed: "RS", or "EU:" with a member state, for example "EU:HR".
# jurisdiction = "RS"

# The function that filled this in, and when.
declared_by = ""
date = ""

# A list of your devices: CSV whose first line names the columns; id, then any of address, mac, place, brand,
# model, serial, behind (id of the recorder), note. The path is relative to this file.
# asset_list = "assets.csv"

# Places: addresses or networks, and the class of what is seen there.
# P0 no persons or vehicles identifiable, P1 ordinary view, P2 plates, sound, children, patients or staff at work,
# P3 face recognition active or a sensitive site.
# [[places]]
# name = "Kindergarten"
# targets = ["10.20.1.0/24"]
# sensitivity = "P2"

# Statements that no software makes. Factors: P (as above); C control over the segment (C0 none, C1 partly,
# C2 segmented and egress allow-listed); D data path (D0 no egress possible, tested, to D4 media);
# m whether a required document is missing (yes, no); x whether a prohibition in force is breached (yes, no).
# subjects: addresses, networks, ids of the asset list, or "*".
# [[declarations]]
# factor = "C"
# value = "C1"
# by = "network administrator"
# date = "2026-11-01"
# subjects = ["10.20.0.0/16"]
# text = "own VLAN, no egress rule yet"

# Documents that are there or missing; their content is nobody's finding here.
# condition: doc-procurement, doc-dpia, doc-legal-basis, doc-processor.
# [[documents]]
# condition = "doc-dpia"
# present = true
# by = "data-protection officer"
# date = "2026-11-01"
# text = "impact assessment 12/2026"
"""
