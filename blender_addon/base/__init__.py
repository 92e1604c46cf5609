"""What all features of the add-on share: driven jobs, looked-up state, base classes, generated properties."""
