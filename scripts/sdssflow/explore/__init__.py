"""Look at the data, then ask what groups there are."""
