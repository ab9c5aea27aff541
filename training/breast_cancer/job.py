"""What Azure ML starts on the VM; it imports ``train`` and ``score`` where nothing that goes wrong can leak."""

from job_guard import main

if __name__ == "__main__":
    main()
