"""A stand-in for a Drupal site with Simple OAuth and JSON-RPC."""
