"""Bytes out, bytes in: the only folder that imports aiohttp's client."""
