"""What the app knows about serving on a VM, free of I/O: slots, HAProxy's language, containers, smoke samples."""
