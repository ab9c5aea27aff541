"""The trusted part of a training on the VM: it has the credentials, and decides what may leave.

Training code runs in containers without network; it never shares a process, a user or a credential with this package.
The package is installed on the VM by itself (``edgetrain prepare-vm``), so it imports nothing else of the repository.
"""

VERSION = "1.0.0"
"""Of the job; every receipt has it."""
