"""Child processes that never outlive their supervisor: the keeper, its client, and knowing a process again."""
