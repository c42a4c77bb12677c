"""No test leaves a task or a socket behind."""

from tests.support.leak_check import nothing_leaks

__all__ = ["nothing_leaks"]
