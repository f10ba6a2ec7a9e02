"""The chat with EVI over a WebSocket.

`socket.py` is what users hold, `connections.py` keeps it connected, `reconnect.py` says which
ends are good ones and what a resumed chat begins with.
"""
