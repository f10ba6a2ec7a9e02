"""One HTML page about a bulk run, which opens without a network.

`build.build_report` reads the folder of a run and returns the page, which the command line
writes to a file.
"""
