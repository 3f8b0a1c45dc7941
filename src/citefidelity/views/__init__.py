"""What people see of a store, a journal and a run."""
