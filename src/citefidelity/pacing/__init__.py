"""Who may call, and when: calls in flight, rates, pauses, money."""
