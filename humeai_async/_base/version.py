"""The version of this library, and how it introduces itself to servers.

It knows nothing else. The build reads the version here, too.
"""

from __future__ import annotations

import sys

__version__ = "0.1.0"

USER_AGENT: str = (
    f"humeai_async/{__version__} "
    f"({sys.implementation.name} {'.'.join(map(str, sys.version_info[:3]))}; {sys.platform})"
)
"""Value of the header `User-Agent`, unless the client is given another."""
