"""The project: settings, addresses, the queue and the kernel that every app may use."""
