"""What every kind of target owes its callers, shown on each kind alike."""
