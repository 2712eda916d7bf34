"""From a YAML file to options that have been checked, before BasicSR touches a directory."""
