"""From a raw reply to a verdict or a fault."""
