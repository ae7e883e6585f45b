"""What does a TLS server show in clear, where OpenSSL cannot finish the handshake with it?

ServerHello and Certificate travel in clear up to TLS 1.2, so no OpenSSL support is needed for
SSL 3.0 or odd suites (facts: scanning 3, TLS). The bytes are built and read by `decode.tls`.
"""

from __future__ import annotations
