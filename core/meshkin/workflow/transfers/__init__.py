"""What can be carried from one object to another: a module for each, with its check and its steps."""
