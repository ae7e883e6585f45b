"""Which ports do the search protocols of devices use (facts: discovery 1 to 7)?

Apart from the decoders: who chooses packets by their ports need not load every decoder for it.
"""

from __future__ import annotations

BOSCH, BOSCH_ANSWER = 1757, 1758
DAHUA_5050 = 5050
DHIP = 37810
DVRIP = 34569
FOSCAM = 10000
HANWHA, HANWHA_ANSWER = 7701, 7711
MIIO = 54321
PANASONIC, PANASONIC_ANSWER = 10670, 10669
PPPP = 32108
REOLINK, REOLINK_ANSWER = 2000, 3000
REOLINK_UDP = (2015, 2018)
SADP = 37020
SNMP = 161
SONY = 2380
SSDP = 1900
TPLINK = (20002, 20004)
TPLINK_LEGACY = 9999
TUYA = (6666, 6667)
UBIQUITI = 10001
VIVOTEK = 10000
VSTARCAM = 8600
WSD = 3702
