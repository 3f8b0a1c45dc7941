"""Adapters that ask a model: any OpenAI-compatible server, and one that runs on this machine."""
