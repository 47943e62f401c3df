"""What happens when an endpoint is called."""
