"""From the bytes that strangers send to pictures, in a process of its own."""
