"""The chat with EVI over a WebSocket.

`socket.py` is what users hold, `connections.py` keeps it connected.
"""
