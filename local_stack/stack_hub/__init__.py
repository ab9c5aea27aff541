"""The stand-in for the Azure Stack Hub: the guard of its storage, and the VM with container engine and HAProxy."""
