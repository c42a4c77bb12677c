"""Programs for developers, and what the tests share with them: README.md has an overview. Not part of the wheel."""
