"""The data that the stages pass to each other: snapshots, views, recipes, features, maps, point pairs."""
