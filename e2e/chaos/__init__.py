"""What clusters do to controllers, one trial a module, the tests in a small form, `just storm` in a long one.

A trial is handed a stage and its size, hurts what it is about, and returns a report: its figures, and what is wrong.
"""

from e2e.storm.stage import Report, Stage, staged

__all__ = ["Report", "Stage", "staged"]
