"""What several tests share: shapes, figures, small models, ways to run commands."""
