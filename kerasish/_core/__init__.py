"""The door to the C core; everything is in the extension module `core`."""
