"""An experiment at work in a process."""
