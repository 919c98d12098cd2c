"""What keeps outputs whole: checksums of the files in a folder, and one writer at a time."""
