"""The spec: all that changes an answer, checked, written and compared."""
