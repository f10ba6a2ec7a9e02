"""What several processes share through one Redis or Valkey."""
