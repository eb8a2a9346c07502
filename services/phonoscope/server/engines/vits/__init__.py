"""VITS in plain PyTorch, able to speak with any Piper voice."""
