"""Looks a Drupal site over before people sign in through it, and says what to change there."""
