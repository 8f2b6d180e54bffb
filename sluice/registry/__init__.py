"""What MLflow keeps: runs, registered versions, aliases."""
