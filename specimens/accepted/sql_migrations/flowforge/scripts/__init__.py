"""What an operator does to a running FlowForge: a function a script, whose parameters are its options."""
