"""Files that are laid on the VM as they are, or with their ``@PLACES@`` filled in."""
