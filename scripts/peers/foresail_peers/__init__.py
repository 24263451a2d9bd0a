"""Other libraries on the windows of Foresail's suites."""
