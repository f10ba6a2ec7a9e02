"""What media files are, and making them what a service takes.

`formats.py` tells a file by its first bytes, `wav.py`, `mp3.py` and `jpeg.py` read what has to be
known before a file is sent, `conversion.py` makes 16 kHz mono sound of anything (extra `media`).
None of them knows an endpoint.
"""
