"""What all features of the add-on share: running jobs, the state that panels show, base classes, properties."""
