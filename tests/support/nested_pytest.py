"""How tests run pytest as a process of its own: with two plugins, and none that is found.

What else is installed (coverage, xdist, hypothesis) doubles what a start costs.
"""

from __future__ import annotations

PLUGINS = ("-p", "anyio", "-p", "humeai_async.pytest_plugin", "-p", "no:cacheprovider")
"""Arguments that load the library's plugin, whether it is installed or stands on the path."""
ALONE = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""Environment variables of such a process."""
