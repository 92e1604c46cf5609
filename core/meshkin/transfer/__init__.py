"""What lives on one surface, carried to another through their map."""
