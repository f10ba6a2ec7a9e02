"""Requests and responses as frozen attrs classes, one module a subject.

Nothing is gathered here: import from the modules. They do no I/O and know neither endpoints
nor converters; the catalog and the codec use them.
"""
