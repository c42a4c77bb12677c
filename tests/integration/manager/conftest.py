"""Tests of the manager leave no task and no socket behind."""

from tests.support.leak_check import nothing_leaks

__all__ = ["nothing_leaks"]
