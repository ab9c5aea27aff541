"""The VM on the hub: its template, and the files that prepare it, of which the local stack's own VM is made too."""
