"""HTTP towards the Drupal site: its OAuth server and its JSON-RPC API."""
