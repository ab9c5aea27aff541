"""``edgetrain deploy-check``: whether what runs now would go on under the code of this folder."""
