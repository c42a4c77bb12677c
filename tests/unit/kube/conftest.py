"""Whatever a test does here, it leaves nothing behind."""

from tests.support.leak_check import nothing_leaks

__all__ = ["nothing_leaks"]
