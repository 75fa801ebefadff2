"""Floor 0: values, messages, facts, commands and errors. Imports nothing above it."""
