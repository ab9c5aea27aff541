"""What stands in for the Azure Stack Hub: the storage's guard, and the VM with its container engine and HAProxy."""
