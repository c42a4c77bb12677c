"""Programs that measure, and print what they measured."""
