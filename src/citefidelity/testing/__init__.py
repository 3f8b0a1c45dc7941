"""Fakes that behave like the real adapters: typed, shipped, and held to the same contract suites."""
