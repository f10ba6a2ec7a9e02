"""Expression Measurement as it is today: uploads, and recordings of any length.

`uploads.py` checks media before they are sent, `parts.py` cuts long recordings, `sessions.py` and
its neighbours keep the sockets.
"""
