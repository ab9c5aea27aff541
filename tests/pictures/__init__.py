"""The pictures that README shows of the page, made by one command, so that they stay true: ``make pictures``."""
