"""FlowForge's own tests: unit (no database), integration (a real one), contract (requests nobody wrote)."""
