"""What each command does and prints. `sightline.cli` reads the arguments and calls here."""
