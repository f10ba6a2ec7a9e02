"""The WebSockets of the Expression Measurement API that Hume serves today.

They stand apart from the HTTP calls, in `expression.py`, because the types of their messages are
many, and are imported with the first session.
"""

from __future__ import annotations

from humeai_async.catalog.expression import EXPRESSION
from humeai_async.http.endpoint import Endpoint
from humeai_async.types.expression_messages import AudioMessage, VideoMessage

# fmt: off

EXPRESSION_CONNECT_AUDIO = Endpoint(
    "expression.connect_audio", "GET", "/v1/expression/audio/realtime", AudioMessage, **EXPRESSION,
    docs="overview", socket=True)
EXPRESSION_CONNECT_VIDEO = Endpoint(
    "expression.connect_video", "GET", "/v1/expression/video/realtime", VideoMessage, **EXPRESSION,
    docs="overview", socket=True)

# fmt: on
