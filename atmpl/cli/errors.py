"""Errors of the command line: one sentence that names the object, the problem and what to do."""


class CommandError(Exception):
    """The command cannot do its work. The message names the file, object or parameter. Exit status 1."""


class UsageError(Exception):
    """Wrong usage that argparse cannot detect. Exit status 2, with a pointer to `--help`."""
