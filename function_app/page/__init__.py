"""The page that people read: screens over the functions of the API, rendered here, without a build or another host."""
