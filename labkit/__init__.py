"""The machinery behind the checks of FlowForge Labs."""
