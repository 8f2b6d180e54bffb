"""What each method trains, and how it is put on a model, saved, loaded again and merged."""
