"""What flows through the house: snapshots, maps, views, point pairs."""
