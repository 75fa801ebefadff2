"""Floor 1: the deterministic engine. No await, clock, randomness, logging or environment."""
