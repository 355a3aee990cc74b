"""The `hikiate` commands by subject; heavy imports wait until a command runs."""
