"""The code of a training as a value: the deployed one, the one that a run was admitted with, and the images from it."""
