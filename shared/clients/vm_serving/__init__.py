"""How a VM is made to follow a slot, and what is seen of it there: the inside of the target of kind ``vm``."""
