"""How values are read, checked and written: strict JSON, messages as JSON, fields, times, and texts from outside."""
