"""Worker processes of the host, as ``FUNCTIONS_WORKER_PROCESS_COUNT`` asks for: each loads the app by itself."""
