"""What goes wrong on the command line, as a person is told it: one sentence that says what to do instead."""


class CommandError(Exception):
    """Something a person must mend, said in one sentence that names the file or the parameter. Exit status 1."""


class UsageError(Exception):
    """Wrong usage that only the whole command line shows. Exit status 2, with a pointer to `--help`."""
